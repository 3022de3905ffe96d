/* SPDX-License-Identifier: GPL-2.0-only */
/* A program image was committed: sched_process_exec.
 *
 * Why here: the executable is decided, the old image is gone, no thread but this one is left, argv and environment lie in
 * the new address space that no other program could write to yet. At execve's entry all of it is still user memory that
 * another thread may change after we looked. Raw tracepoint: needs neither trampolines nor kprobes.
 */

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
            u64 differs = ((words[1] & known->mask[0]) ^ known->rest[0]) | ((words[2] & known->mask[1]) ^ known->rest[1]);
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
    bpf_probe_read_user_str(scratch->record.key.argv0, INVOKED_BYTES, (void *)start);
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

static __always_inline void fill_key(struct exec_scratch *scratch, struct linux_binprm *binprm, struct process *by,
                                     struct config *settings)
{
    struct exec_key *key = &scratch->record.key;
    struct record_header *header = &scratch->record.header;
    key->subject = header->subject;
    key->epoch = header->epoch;
    key->dentry = scratch->record.file.key.dentry;
    key->mount = scratch->record.file.key.mount;
    key->by_dentry = by ? by->dentry : 0;
    key->by_number = by ? by->number : 0;
    key->by_name_hash = by ? by->name_hash : 0;
    key->flags = header->flags & (FLAG_ENTERED | FLAG_IS_INIT | FLAG_FOREIGN_MOUNT_NS);
    key->environment = scratch->record.environment;
    key->stdio = scratch->record.inet_stdio;
    long length = bpf_probe_read_kernel_str(key->invoked, INVOKED_BYTES, READ(binprm, filename));
    /* Exact or not at all: a cut name, a script (its interpreter's file says nothing about it), a process of unknown
     * descent or an environment not fully read must be looked at each time. */
    if (length < INVOKED_BYTES && !key->argv0[INVOKED_BYTES - 2] && !changed_just_now(&scratch->record.file.value, settings) &&
        !(header->flags & (FLAG_SCRIPT | FLAG_ENV_TRUNCATED | FLAG_NO_LINEAGE | FLAG_PATH_TRUNCATED)))
        header->flags |= FLAG_CACHEABLE;
}

static __always_inline void send_exec(void *ctx, struct exec_scratch *scratch)
{
    u32 length = *(volatile u32 *)&scratch->offset;
    if (length > EXEC_TEXT_BYTES)
        length = EXEC_TEXT_BYTES;
    u32 bytes = hide(sizeof(struct exec_record) + length) & 0x7fff; /* hidden: the verifier wants its bounds on the very register */
    if (bytes > sizeof(*scratch))
        return;
    if (actions.ringbuf_output(scratch, bytes, 0))
        count(HOOK_EXEC, LOSS_RING_FULL);
    else
        count(HOOK_EXEC, COUNT_SENT);
}

/* What this process is from now on, and what it was: the "by" of this exec. */
static __always_inline u64 remember(struct exec_scratch *scratch, struct process *was)
{
    struct record_header *header = &scratch->record.header;
    struct file_part *file = &scratch->record.file;
    struct process now = {
        .start = header->start_ns,
        .exec_id = (bpf_ktime_get_ns() & ~0xffull) | (bpf_get_smp_processor_id() & 0xff),
        .dentry = file->key.dentry,
        .number = file->value.number,
        .name_hash = file->value.name_hash,
        .subject = header->subject,
        .flags = header->flags & (FLAG_ENTERED | FLAG_IS_INIT),
    };
    if (processes.update(&header->pid, &now))
        count(HOOK_EXEC, LOSS_PROCESSES_FULL);
    header->exec_id = now.exec_id;
    return was ? was->exec_id : 0;
}

/* This exec is not told. What the process does next is told as the doing of the equal exec that was: user space knows
 * that one's path and ancestors. */
static __always_inline void stand_in(u32 pid, u64 told)
{
    struct process *process = processes.lookup(&pid);
    if (!process)
        return;
    process->exec_id = told;
    process->flags |= FLAG_STAND_IN;
}

int on_sched_process_exec(struct bpf_raw_tracepoint_args *ctx)
{
    u64 cgroup;
    u32 zero = 0;
    struct traced_cgroup *traced = current_traced(&cgroup);
    if (!traced)
        return 0;
    struct task_struct *task = ARGUMENT(struct task_struct *, 0);
    struct linux_binprm *binprm = ARGUMENT(struct linux_binprm *, 2);
    struct file *executable = READ(binprm, file);
    struct mm_struct *mm = READ(task, mm);
    struct exec_scratch *scratch = exec_scratch.lookup(&zero);
    u64 subject_id = traced->subject;
    struct subject *subject = subjects.lookup(&subject_id);
    if (!scratch || !executable) {
        count(HOOK_EXEC, scratch ? LOSS_READ_FAULT : LOSS_SCRATCH);
        return 0;
    }
    struct record_header *header = &scratch->record.header;
    struct process was = {};
    struct process *process = fill_header(header, task, RECORD_EXEC, HOOK_EXEC, cgroup, traced);
    if (!process) {
        if (is_runtime(task, executable, cgroup)) {
            count(HOOK_EXEC, COUNT_RUNTIME_SETUP);
            return 0;
        }
        /* First exec of a process that entered from outside: the container's init, or an exec into the container */
        header->flags &= ~FLAG_NO_LINEAGE;
        if (subject && !subject->init_start) {
            learn_init(subject, task, header->start_ns);
            header->flags |= FLAG_IS_INIT;
        } else {
            header->flags |= FLAG_ENTERED;
        }
    } else {
        was = *process;
        header->flags &= ~FLAG_NO_LINEAGE;
    }
    struct path at = {};
    copy_kernel(&at, sizeof(at), AT(executable, f_path));
    struct file_part *file = &scratch->record.file;
    file->key.subject = header->subject;
    file->key.epoch = header->epoch;
    file->key.what = RECORD_EXEC << 8;
    file->access = 0;
    struct config *settings = config.lookup(&zero);
    fill_file(file, at.dentry, at.mnt, task, subject, settings, true);
    header->flags |= foreign_mount_ns(subject, task);
    scratch->record.by_exec_id = remember(scratch, process ? &was : 0);

    const char *filename = READ(binprm, filename), *interpreter = READ(binprm, interp);
    if (filename != interpreter)
        header->flags |= FLAG_SCRIPT;
    scratch->offset = 0;
    __builtin_memset(scratch->record.key.invoked, 0, INVOKED_BYTES);
    __builtin_memset(scratch->record.key.argv0, 0, INVOKED_BYTES);
    scan_environment(scratch, mm);
    look_at_stdio(&scratch->record, task);
    if (file->origin == ORIGIN_MEMFD) {
        struct dentry_part part = {};
        read_dentry(at.dentry, &part);
        file->path_bytes = append_string(scratch, part.name.name, NAME_BYTES);
    } else {
        WALK_PATH(scratch->text, scratch->offset, PATH_BYTES - 1, at.dentry, at.mnt, header->flags);
        file->path_bytes = scratch->offset;
    }
    u32 before_cwd = scratch->offset;
    struct fs_struct *fs = READ(task, fs);
    if (fs) {
        u32 flags = 0;
        WALK_PATH(scratch->text, scratch->offset, 2 * PATH_BYTES - 1, READ(fs, pwd.dentry), READ(fs, pwd.mnt), flags);
        if (flags)
            header->flags |= FLAG_CWD_TRUNCATED;
    }
    scratch->record.cwd_bytes = scratch->offset - before_cwd;
    read_argv(scratch, mm);
    fill_key(scratch, binprm, process ? &was : 0, settings);
    if (header->flags & FLAG_CACHEABLE) {
        struct exec_value *known = known_execs.lookup(&scratch->record.key);
        if (known && still_holds(&known->file, &file->value, at.dentry, at.mnt)) {
            stand_in(header->pid, known->told);
            count(HOOK_EXEC, COUNT_KNOWN);
            return 0;
        }
    }
    if (!take_token(subject, HOOK_EXEC, BUCKET_ACTIONS))
        return 0;
    scratch->record.invoked_bytes = append_string(scratch, filename, PATH_BYTES);
    scratch->record.interpreter_bytes = 0;
    if (header->flags & FLAG_SCRIPT)
        scratch->record.interpreter_bytes = append_string(scratch, interpreter, NAME_BYTES);
    read_tty(&scratch->record, task);
    const struct cred *cred = READ(task, cred);
    copy_kernel(&scratch->record.capabilities, 8, AT(cred, cap_effective));
    if (header->flags & FLAG_PATH_TRUNCATED)
        count(HOOK_EXEC, LOSS_PATH_TRUNCATED);
    send_exec(ctx, scratch);
    return 0;
}
