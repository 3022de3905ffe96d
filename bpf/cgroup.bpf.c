/* SPDX-License-Identifier: GPL-2.0-only */
/* Containers come and go: cgroup_mkdir, cgroup_rmdir. Why here: mkdir runs tens of milliseconds before the container's
 * first exec, and the cgroup's id is the key every other hook looks up. The tracepoints fire for each hierarchy; only
 * the default one (cgroup2) has the ids that bpf_get_current_cgroup_id tells.
 */

#define ID_DIGITS 64 /* container ids are 64 hexadecimal digits */

/* What a cgroup's name says: 1 it has a container id in it; 2 it looks like a directory of containers. */
static __always_inline u32 classify(struct cgroup_scratch *scratch, struct root_name *name, const char *text)
{
    char *copy = scratch->name;
    volatile u32 *run = &scratch->run, *longest = &scratch->longest;
    *run = *longest = 0;
    long length = bpf_probe_read_kernel_str(copy, NAME_BYTES, text) - 1; /* without the NUL */
    if (length <= 0)
        return 0;
#pragma clang loop unroll(disable)
    for (int n = 0; n < NAME_BYTES - 1; n++) {
        char c = copy[n];
        if (!c)
            break;
        *run = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') ? *run + 1 : 0;
        if (*run > *longest)
            *longest = *run;
    }
    if (*longest >= ID_DIGITS)
        return 1;
    bpf_probe_read_kernel_str(name, sizeof(*name), text);
    u64 head = *(u64 *)copy, tail = length >= 6 ? *(u64 *)&copy[(length - 6) & 127] : 0;
    if (head == 0x73646f706562756bull /* kubepods */ || head == 0x6c62617473727562ull /* burstabl */ ||
        head == 0x6f66666574736562ull /* besteffo */ || ((head & 0xffffff) == 0x646f70 /* pod */ && length > 32) ||
        (tail & 0xffffffffffffull) == 0x6563696c732eull /* .slice */)
        return 2;
    return 0;
}

static __always_inline u64 cgroup_number(struct cgroup *cgroup)
{
    struct kernfs_node *node = READ(cgroup, kn);
    return node ? READ(node, id) : 0;
}

static __always_inline struct cgroup *parent_of(struct cgroup *cgroup)
{
    /* cgroup.self.parent is the parent's cgroup.self, and self is the first member */
    return (struct cgroup *)READ(cgroup, self.parent);
}

/* Complete a cgroup record, whose header holds nothing or a process, and send it. */
static __always_inline void send_cgroup(void *ctx, struct cgroup_scratch *scratch, u8 kind, u64 id, u64 parent,
                                        u64 subject, const char *path)
{
    struct record_header *header = &scratch->record.header;
    header->abi = RECORD_ABI;
    header->kind = kind;
    header->hook = HOOK_CGROUP;
    header->kernel_ns = bpf_ktime_get_ns();
    header->cgroup = id;
    header->subject = subject;
    scratch->record.parent = parent;
    long length = bpf_probe_read_kernel_str(scratch->path, PATH_BYTES, path);
    scratch->record.path_bytes = length > 0 ? length : 0;
    /* hidden: the verifier wants its bounds on the very register */
    u32 bytes = hide(sizeof(struct cgroup_record) + scratch->record.path_bytes) & 0x1fff;
    if (bytes > sizeof(*scratch))
        return;
    if (actions.ringbuf_output(scratch, bytes, 0))
        count(HOOK_CGROUP, LOSS_RING_FULL);
    else
        count(HOOK_CGROUP, COUNT_SENT);
}

static __always_inline void tell_cgroup(void *ctx, u8 kind, u64 id, u64 parent, u64 subject, const char *path)
{
    u32 zero = 0;
    struct cgroup_scratch *scratch = cgroup_scratch.lookup(&zero);
    if (!scratch) {
        count(HOOK_CGROUP, LOSS_SCRATCH);
        return;
    }
    __builtin_memset(&scratch->record.header, 0, sizeof(scratch->record.header));
    send_cgroup(ctx, scratch, kind, id, parent, subject, path);
}

int on_cgroup_mkdir(struct bpf_raw_tracepoint_args *ctx)
{
    struct cgroup *cgroup = ARGUMENT(struct cgroup *, 0);
    struct cgroup_root *root = READ(cgroup, root);
    if (READ(root, hierarchy_id) != 0)
        return 0;
    struct cgroup *above = parent_of(cgroup);
    u64 id = cgroup_number(cgroup), parent = above ? cgroup_number(above) : 0;
    struct kernfs_node *node = READ(cgroup, kn);
    struct root_name name = {};
    u32 zero = 0;
    struct cgroup_scratch *scratch = cgroup_scratch.lookup(&zero);
    if (!scratch) {
        count(HOOK_CGROUP, LOSS_SCRATCH);
        return 0;
    }
    u32 class = classify(scratch, &name, READ(node, name));
    struct traced_cgroup *inherited = traced_cgroups.lookup(&parent);
    bool top = above && !parent_of(above);
    if (!inherited && class != 1 && !(top && watched_roots.lookup(&name)))
        return 0;
    struct traced_cgroup traced = {.subject = id, .tree = class == 2 || (top && class != 1)};
    if (inherited && !inherited->tree) {
        traced.subject = inherited->subject; /* nested inside a container: belongs to it */
        traced.epoch = inherited->epoch;
        traced.tree = 0;
    }
    if (traced_cgroups.update(&id, &traced)) {
        count(HOOK_CGROUP, LOSS_CGROUPS_FULL);
        return 0;
    }
    if (traced.subject == id) {
        struct subject fresh = {};
        if (subjects.update(&id, &fresh))
            count(HOOK_CGROUP, LOSS_CGROUPS_FULL);
    }
    tell_cgroup(ctx, RECORD_CGROUP_CREATED, id, parent, traced.subject, ARGUMENT(const char *, 1));
    return 0;
}

int on_cgroup_rmdir(struct bpf_raw_tracepoint_args *ctx)
{
    struct cgroup *cgroup = ARGUMENT(struct cgroup *, 0);
    u64 id = cgroup_number(cgroup);
    struct cgroup_root *root = READ(cgroup, root);
    struct traced_cgroup *traced = traced_cgroups.lookup(&id);
    if (!traced || READ(root, hierarchy_id) != 0)
        return 0;
    u64 subject = traced->subject;
    traced_cgroups.delete(&id);
    tell_cgroup(ctx, RECORD_CGROUP_REMOVED, id, 0, subject, ARGUMENT(const char *, 1));
    return 0;
}
