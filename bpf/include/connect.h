/* SPDX-License-Identifier: GPL-2.0-only */
/* The bodies of the connect hooks. */

static __always_inline struct connect_scratch *claim_connect(u32 hook)
{
#pragma clang loop unroll(disable)
    for (u32 n = 0; n < SCRATCHES; n++) {
        u32 slot = n;
        struct connect_scratch *scratch = connect_scratch.lookup(&slot);
        if (scratch && claim(&scratch->users))
            return scratch;
    }
    count(hook, LOSS_SCRATCH);
    return 0;
}

static __always_inline void send_connect(void *ctx, struct connect_scratch *scratch, u32 hook)
{
    u32 length = *(volatile u32 *)&scratch->offset;
    if (length > PATH_BYTES + NAME_BYTES)
        length = PATH_BYTES + NAME_BYTES;
    scratch->record.path_bytes = length;
    u32 bytes = hide(sizeof(struct connect_record) + length) &
                0x1fff; /* hidden: the verifier wants its bounds on the very register */
    if (bytes > sizeof(*scratch))
        return;
    if (actions.ringbuf_output(scratch, bytes, 0))
        count(hook, LOSS_RING_FULL);
    else
        count(hook, COUNT_SENT);
}

/* The socket a connected Unix socket talks to, 0 if the file is none. */
static __always_inline struct sock *connected_peer(struct file *file)
{
    struct inode *inode = READ(file, f_inode);
    if ((READ(inode, i_mode) & 0170000) != 0140000)
        return 0;
    struct socket *socket = &(AROUND(inode, struct socket_alloc, vfs_inode))->socket;
    struct sock *sock = READ(socket, sk);
    if (!sock || READ(sock, __sk_common.skc_family) != 1)
        return 0;
    return READ((struct unix_sock *)sock, peer);
}

static __always_inline void write_unix_connect(void *ctx, struct connect_scratch *scratch, struct sock *peer,
                                               u64 cgroup, struct traced_cgroup *traced, struct task_struct *task,
                                               u32 flags, int result)
{
    u64 subject_id = traced->subject;
    struct connect_record *record = &scratch->record;
    struct process *process = fill_header(&record->header, task, RECORD_CONNECT, HOOK_UNIX_CONNECT, cgroup, traced);
    if (!process && current_is_runtime(task, cgroup)) {
        count(HOOK_UNIX_CONNECT, COUNT_RUNTIME_SETUP);
        return;
    }
    if (!take_token(subjects.lookup(&subject_id), HOOK_UNIX_CONNECT, BUCKET_ACTIONS))
        return;
    __builtin_memset(&record->key, 0, sizeof(record->key));
    record->key.subject = traced->subject;
    record->key.epoch = traced->epoch;
    record->key.family = 1;
    record->header.flags |= flags; /* not cacheable: the key has no room for a path, and such connects are rare */
    record->result = result;
    record->abstract = 0;
    scratch->offset = 0;
    struct path at = {};
    copy_kernel(&at, sizeof(at), AT((struct unix_sock *)peer, path));
    struct unix_address *address = READ((struct unix_sock *)peer, addr);
    if (at.dentry) {
        WALK_PATH(scratch->path, scratch->offset, PATH_BYTES - 1, at.dentry, at.mnt, record->header.flags);
    } else if (address) {
        u32 length = READ(address, len);
        record->abstract = 1;
        if (length > 3 && length <= 110) {
            /* sun_family, the NUL that makes it abstract, the name */
            copy_kernel(scratch->path, hide(length - 3) & 127, AT(address, name) + 3);
            scratch->offset = length - 3;
        }
    }
    send_connect(ctx, scratch, HOOK_UNIX_CONNECT);
}

/* A Unix socket connects to peer, which carries the listener's address and path: the kernel's own copies. */
static __always_inline void see_unix_connect(void *ctx, struct sock *peer, u64 cgroup, struct traced_cgroup *traced,
                                             struct task_struct *task, u32 flags, int result)
{
    struct connect_scratch *scratch = peer ? claim_connect(HOOK_UNIX_CONNECT) : 0;
    if (!scratch)
        return;
    write_unix_connect(ctx, scratch, peer, cgroup, traced, task, flags, result);
    release(&scratch->users);
}
