/* SPDX-License-Identifier: GPL-2.0-only */
/* What a new program image was given: environment, descriptors, terminal, arguments. */

#define ENVIRONMENT_ROUNDS 256 /* pieces of NAME_BYTES looked at; beyond it the record is marked ENV_TRUNCATED */

static __always_inline void scan_environment(struct exec_scratch *scratch, struct mm_struct *mm)
{
    u64 end = READ(mm, env_end);
    /* the loop's state lies in map memory: see WALK_PATH */
    volatile u64 *at = &scratch->environment_at;
    volatile u32 *found = &scratch->record.environment, *start = &scratch->environment_start;
    *at = READ(mm, env_start);
    *found = 0;
    *start = ~0u;
#pragma clang loop unroll(disable)
    for (int round = 0; round < ENVIRONMENT_ROUNDS; round++) {
        if (*at >= end)
            break;
        long length = bpf_probe_read_user_str(scratch->variable, NAME_BYTES, (void *)*at);
        if (length <= 0)
            break;
        /* few branches: the verifier walks them 256 times */
        u64 *words = (u64 *)scratch->variable;
        struct variable *known = dangerous_environment.lookup(words);
        if (known) {
            u64 differs =
                ((words[1] & known->mask[0]) ^ known->rest[0]) | ((words[2] & known->mask[1]) ^ known->rest[1]);
            *found |= differs ? 0 : known->bit & *start;
        }
        /* a full buffer means the value goes on: its rest is not the start of a variable */
        u32 full = (u32)length >> 8;
        *start = full - 1;
        *at += (u32)length - full;
    }
    if (*at < end) {
        scratch->record.header.flags |= FLAG_ENV_TRUNCATED;
        count(HOOK_EXEC, LOSS_ENV_TRUNCATED);
    }
}

/* Descriptors 0 to 2 that are sockets: a reverse shell's mark. */
static __always_inline void look_at_stdio(struct exec_record *record, struct task_struct *task)
{
    struct files_struct *table = READ(task, files);
    struct fdtable *fdt = table ? READ(table, fdt) : 0;
    struct file **slots = fdt ? READ(fdt, fd) : 0;
    struct file *standard[3] = {};
    record->inet_stdio = record->unix_stdio = 0;
    if (!slots || copy_kernel(standard, sizeof(standard), (u64)slots))
        return;
#pragma unroll
    for (int n = 0; n < 3; n++) {
        struct inode *inode = standard[n] ? READ(standard[n], f_inode) : 0;
        if (!inode || (READ(inode, i_mode) & 0170000) != 0140000)
            continue;
        struct socket *socket = &(AROUND(inode, struct socket_alloc, vfs_inode))->socket;
        struct sock *sock = READ(socket, sk);
        u16 family = sock ? READ(sock, __sk_common.skc_family) : 0;
        if (family == 2 || family == 10)
            record->inet_stdio |= 1 << n;
        else if (family == 1)
            record->unix_stdio |= 1 << n;
    }
}

static __always_inline void read_tty(struct exec_record *record, struct task_struct *task)
{
    struct signal_struct *signal = READ(task, signal);
    struct tty_struct *tty = signal ? READ(signal, tty) : 0;
    record->tty[0] = 0;
    if (tty)
        bpf_probe_read_kernel_str(record->tty, TTY_BYTES, (const void *)AT(tty, name));
}

/* Append argv (as the new program will see it), then the names. Each text starts where the last ended. */
static __always_inline void read_argv(struct exec_scratch *scratch, struct mm_struct *mm)
{
    u64 start = READ(mm, arg_start), end = READ(mm, arg_end);
    u64 length = end - start;
    scratch->record.argv_bytes = 0;
    if (end <= start)
        return;
    if (length > ARGV_BYTES - 1) {
        length = ARGV_BYTES - 1;
        scratch->record.header.flags |= FLAG_ARGV_TRUNCATED;
    }
    u32 offset = *(volatile u32 *)&scratch->offset;
    if (offset > 2 * PATH_BYTES + 2 * NAME_BYTES)
        return;
    length &= ARGV_BYTES - 1;
    if (bpf_probe_read_user(&scratch->text[offset & 0x3fff], length, (void *)start)) {
        count(HOOK_EXEC, LOSS_READ_FAULT);
        scratch->record.header.flags |= FLAG_ARGV_TRUNCATED;
        return;
    }
    scratch->record.argv_bytes = length;
    *(volatile u32 *)&scratch->offset = offset + length;
}

static __always_inline u16 append_string(struct exec_scratch *scratch, const char *from, u32 limit)
{
    u32 offset = *(volatile u32 *)&scratch->offset;
    if (offset > EXEC_TEXT_BYTES - 1)
        return 0;
    long length = bpf_probe_read_kernel_str(&scratch->text[offset & 0x3fff], limit, from);
    if (length <= 0)
        return 0;
    *(volatile u32 *)&scratch->offset = offset + length;
    return length;
}
