/* SPDX-License-Identifier: GPL-2.0-only */
/* Opens, executable mappings and Unix connects where the kernel allows neither LSM nor fentry programs: sys_exit.
 *
 * Why the exit: the kernel has resolved the name by then, and the descriptor leads to the file that was really opened; at
 * entry there is only user memory. What it cannot close: another thread may replace the descriptor between its
 * installation and this hook (docs/limits.md). Costs every system call of the host the number filter, which is why the
 * LSM and fentry providers come first.
 */

#define X32_BIT 0x40000000 /* __X32_SYSCALL_BIT: the same calls under other numbers */

enum call { CALL_NONE, CALL_OPEN, CALL_MAP, CALL_CONNECT };

static __always_inline enum call which_call(long number)
{
    switch (number) {
    case 2:   /* open */
    case 85:  /* creat */
    case 257: /* openat */
    case 304: /* open_by_handle_at */
    case 437: /* openat2 */
        return CALL_OPEN;
    case 9:
        return CALL_MAP;
    case 42:
        return CALL_CONNECT;
    }
    return CALL_NONE;
}

static __always_inline enum call which_compat_call(long number)
{
    switch (number) {
    case 5:   /* open */
    case 8:   /* creat */
    case 295: /* openat */
    case 342: /* open_by_handle_at */
    case 437: /* openat2 */
        return CALL_OPEN;
    case 192: /* mmap2 */
        return CALL_MAP;
    case 362:
        return CALL_CONNECT;
    }
    return CALL_NONE;
}

static __always_inline struct file *descriptor(struct task_struct *task, u32 number)
{
    struct files_struct *table = READ(task, files);
    struct fdtable *fdt = READ(table, fdt);
    struct file **slots = READ(fdt, fd);
    struct file *file = 0;
    if (number < READ(fdt, max_fds))
        copy_kernel(&file, sizeof(file), (u64)(slots + number));
    return file;
}

/* The flags a program passed: from its registers, which only it can write. openat2 passes them in memory: only whether
 * the file was created (from the file itself) and the access mode are known there. */
static __always_inline u32 open_flags(struct pt_regs *regs, long number, bool compat)
{
    u32 flags = 0;
    if (number == 437)
        return 0;
    if (!compat)
        flags = number == 2 ? READ(regs, si) : number == 85 ? OPEN_TRUNC : READ(regs, dx);
    else
        flags = number == 5 ? READ(regs, cx) : number == 8 ? OPEN_TRUNC : READ(regs, dx);
    return flags;
}

static __always_inline int see_exit(void *ctx, struct pt_regs *regs, long result)
{
    long number = READ(regs, orig_ax) & ~X32_BIT;
    enum call call = which_call(number), compat_call = which_compat_call(number);
    if (call == CALL_NONE && compat_call == CALL_NONE)
        return 0;
    if (result < 0 && result > -4096)
        return 0;
    u64 cgroup;
    struct traced_cgroup *traced = current_traced(&cgroup);
    if (!traced)
        return 0;
    struct task_struct *task = CURRENT_TASK();
    u32 flags = compat_flag(task), access = 0;
    bool compat = flags;
    if (compat)
        call = compat_call;
    u64 fd = result;
    u32 hook = HOOK_OPEN;
    u8 kind = RECORD_OPEN;
    if (call == CALL_OPEN) {
        u32 given = open_flags(regs, number, compat);
        access = (given & OPEN_TRUNC ? ACCESS_TRUNCATE : 0) | (given & OPEN_APPEND ? ACCESS_APPEND : 0);
    } else if (call == CALL_MAP) {
        u64 protection = READ(regs, dx), mapping = compat ? READ(regs, si) : READ(regs, r10);
        if (!(protection & PROT_EXEC_BIT) || (mapping & MAP_ANONYMOUS_BIT))
            return 0;
        fd = compat ? READ(regs, di) : READ(regs, r8);
        hook = HOOK_LOAD;
        kind = RECORD_LOAD;
    } else if (call == CALL_CONNECT) {
        fd = compat ? READ(regs, bx) : READ(regs, di);
    } else {
        return 0;
    }
    struct file *file = descriptor(task, fd);
    if (!file) {
        count(hook, LOSS_READ_FAULT); /* closed by another thread before we looked */
        return 0;
    }
    if (call == CALL_CONNECT)
        see_unix_connect(ctx, connected_peer(file), cgroup, traced, task, flags, 0);
    else
        see_file(ctx, file, cgroup, traced, kind, hook, access, flags);
    return 0;
}

int on_sys_exit(struct bpf_raw_tracepoint_args *ctx)
{
    return see_exit(ctx, ARGUMENT(struct pt_regs *, 0), ARGUMENT(long, 1));
}
