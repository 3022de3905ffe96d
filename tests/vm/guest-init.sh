#!/bin/sh
# Process 1 of the guest, from the initial RAM disk: the host's file system read-only below a tmpfs, then guest-run.sh.
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
while read -r module; do insmod "/modules/$module" || echo "VM: module $module does not load"; done </modules/order
mount -t virtiofs -o ro root /host || { echo "VM: the host's file system cannot be mounted"; poweroff -f; }
mount -t tmpfs tmpfs /changes
mkdir /changes/upper /changes/work
mount -t overlay -o lowerdir=/host,upperdir=/changes/upper,workdir=/changes/work overlay /root
mkdir -p /root/vm
cp /guest-run.sh /command /root/vm/
for directory in proc sys dev; do mount --move "/$directory" "/root/$directory"; done
exec switch_root /root /bin/bash /vm/guest-run.sh
