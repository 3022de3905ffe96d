"""Read the password hashes and the pod's Kubernetes token."""

for name in ("/etc/shadow", "/var/run/secrets/kubernetes.io/serviceaccount/token"):
    with open(name) as secret:
        print(len(secret.read()), "bytes of", name)
