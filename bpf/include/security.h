/* SPDX-License-Identifier: GPL-2.0-only */
/* What the LSM and fentry programs share: they stand at the same places of the kernel.
 *
 * Here the access is asked for, not yet given: another security module may still refuse it. Both kinds of program can
 * be preempted, and the kernel skips one that would run while itself is preempted on the same CPU (probe/misses.py
 * counts).
 */

#define OPEN_FOR_EXEC 0x20 /* __FMODE_EXEC in f_flags: execve and its interpreters; no program can set it */
#define FMODE_BACKING_BITS \
    0x22000000 /* FMODE_BACKING (6.5), FMODE_NOACCOUNT: overlayfs opening the file below its own */

/* ctx[n], unknown to BCC's rewriter and a plain number to the compiler. */
#define HOOK_ARGUMENT(type, n) ((type)hide(ctx[n]))

/* security_file_open: do_dentry_open has the file ready, its path is final, nothing was read or written yet. */
static __always_inline void see_opening(void *ctx, struct file *file)
{
    u64 cgroup;
    struct traced_cgroup *traced = current_traced(&cgroup);
    if (!traced)
        return;
    u32 given = READ(file, f_flags);
    if ((given & OPEN_FOR_EXEC) || (READ(file, f_mode) & FMODE_BACKING_BITS))
        return;
    u32 access = (given & OPEN_TRUNC ? ACCESS_TRUNCATE : 0) | (given & OPEN_APPEND ? ACCESS_APPEND : 0);
    see_file(ctx, file, cgroup, traced, RECORD_OPEN, HOOK_OPEN, access, compat_flag(CURRENT_TASK()));
}

/* security_mmap_file: file is 0 for anonymous memory. What execve maps was opened by it, and is told by its record. */
static __always_inline void see_mapping(void *ctx, struct file *file, u64 protection, u64 flags)
{
    u64 cgroup;
    if (!file || !(protection & PROT_EXEC_BIT) || (flags & MAP_ANONYMOUS_BIT))
        return;
    struct traced_cgroup *traced = current_traced(&cgroup);
    if (!traced || (READ(file, f_flags) & OPEN_FOR_EXEC))
        return;
    see_file(ctx, file, cgroup, traced, RECORD_LOAD, HOOK_LOAD, 0, compat_flag(CURRENT_TASK()));
}

/* security_unix_stream_connect: stream and seqpacket sockets; other is the listener. */
static __always_inline void see_stream_connect(void *ctx, struct sock *other)
{
    u64 cgroup;
    struct traced_cgroup *traced = current_traced(&cgroup);
    if (!traced)
        return;
    struct task_struct *task = CURRENT_TASK();
    see_unix_connect(ctx, other, cgroup, traced, task, compat_flag(task), -1);
}

/* security_unix_may_send: a datagram socket connects, or sends. What it sends on a connection was told when that was
 * made. */
static __always_inline void see_datagram(void *ctx, struct socket *from, struct socket *to)
{
    u64 cgroup;
    struct traced_cgroup *traced = current_traced(&cgroup);
    if (!traced)
        return;
    struct sock *sock = READ(from, sk), *other = READ(to, sk);
    if (!sock || READ((struct unix_sock *)sock, peer) == other)
        return;
    struct task_struct *task = CURRENT_TASK();
    see_unix_connect(ctx, other, cgroup, traced, task, compat_flag(task), -1);
}
