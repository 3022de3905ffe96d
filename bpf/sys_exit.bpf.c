/* SPDX-License-Identifier: GPL-2.0-only */
/* Opens, executable mappings and Unix connects where the kernel allows neither LSM nor fentry programs: sys_exit.
 *
 * Why the exit: the kernel has resolved the name by then, and the descriptor leads to the file that was really opened;
 * at entry there is only user memory. What it cannot close: another thread may replace the descriptor between its
 * installation and this hook (docs/limits.md). Costs every system call of the host the number filter, which is why the
 * LSM and fentry providers come first, and why this one is a BTF tracepoint: registers and descriptor table are read by
 * plain loads, a nanosecond each, where a probe read costs ten.
 */

#define X32_BIT 0x40000000 /* __X32_SYSCALL_BIT: the same calls under other numbers */

enum call { CALL_NONE, CALL_OPEN, CALL_MAP, CALL_CONNECT };

/* Bits of the wanted numbers below 64, of both tables: nearly all system calls end here. */
#define LOW_NUMBERS (1ull << 2 | 1ull << 9 | 1ull << 42 | 1ull << 5 | 1ull << 8)

static __always_inline bool surely_not(u64 number)
{
    return (number < 64 && !(LOW_NUMBERS >> number & 1)) || number > 437;
}

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

/* A descriptor's place in the table. */
struct slot {
    struct file *file;
};

/* Address of a descriptor's place in the table, 0 if it has none. */
static __always_inline u64 descriptor_slot(struct task_struct *task, u32 number)
{
    struct fdtable *table = task->files->fdt;
    return number < table->max_fds ? (u64)(table->fd + number) : 0;
}

/* The flags a program passed: from its registers, which only it can write. openat2 passes them in memory: only whether
 * the file was created (from the file itself) and the access mode are known there. */
static __always_inline u32 open_flags(struct pt_regs *regs, long number, bool compat)
{
    if (number == 437)
        return 0;
    if (!compat)
        return number == 2 ? regs->si : number == 85 ? OPEN_TRUNC : regs->dx;
    return number == 5 ? regs->cx : number == 8 ? OPEN_TRUNC : regs->dx;
}

static __always_inline u32 open_access(struct pt_regs *regs, long number, bool compat)
{
    u32 given = open_flags(regs, number, compat);
    return (given & OPEN_TRUNC ? ACCESS_TRUNCATE : 0) | (given & OPEN_APPEND ? ACCESS_APPEND : 0);
}

static __always_inline bool maps_code(struct pt_regs *regs, bool compat)
{
    u64 flags = compat ? regs->si : regs->r10;
    return (regs->dx & PROT_EXEC_BIT) && !(flags & MAP_ANONYMOUS_BIT);
}

static __always_inline int see_exit(void *ctx, struct pt_regs *regs, long result)
{
    long number = regs->orig_ax & ~X32_BIT;
    if (surely_not(number) || (result < 0 && result > -4096))
        return 0;
    struct task_struct *task = TYPED_TASK();
    bool compat = task->thread_info.status & TS_COMPAT_BIT;
    enum call call = compat ? which_compat_call(number) : which_call(number);
    if (call == CALL_NONE || (call == CALL_MAP && !maps_code(regs, compat)))
        return 0;
    u64 cgroup;
    struct traced_cgroup *traced = current_traced(&cgroup);
    if (!traced)
        return 0;
    u64 fd = result;
    if (call == CALL_MAP)
        fd = compat ? regs->di : regs->r8;
    else if (call == CALL_CONNECT)
        fd = compat ? regs->bx : regs->di;
    u64 slot = descriptor_slot(task, fd);
    struct file *file = 0;
    if (slot)
        file = READ((struct slot *)slot, file);
    u32 flags = compat ? FLAG_COMPAT : 0, hook = HOOK_OPEN, access = 0;
    u8 kind = RECORD_OPEN;
    if (call == CALL_MAP) {
        hook = HOOK_LOAD;
        kind = RECORD_LOAD;
    } else if (call == CALL_OPEN) {
        access = open_access(regs, number, compat);
    }
    if (!file)
        count(hook, LOSS_READ_FAULT); /* closed by another thread before we looked */
    else if (call == CALL_CONNECT)
        see_unix_connect(ctx, connected_peer(file), cgroup, traced, CURRENT_TASK(), flags, 0);
    else
        see_file_at(ctx, file, slot, cgroup, traced, kind, hook, access, flags);
    return 0;
}

int on_sys_exit(unsigned long long *ctx)
{
    return see_exit(ctx, (struct pt_regs *)hide(ctx[0]), hide(ctx[1]));
}
