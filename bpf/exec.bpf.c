/* SPDX-License-Identifier: GPL-2.0-only */
/* A program image was committed: sched_process_exec.
 *
 * Why here: the executable is decided, the old image is gone, no thread but this one is left, argv and environment lie
 * in the new address space that no other program could write to yet. At execve's entry all of it is still user memory
 * that another thread may change after we looked. Raw tracepoint: needs neither trampolines nor kprobes.
 */

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

static __always_inline void fill_key(struct exec_scratch *scratch, struct linux_binprm *binprm, struct mm_struct *mm)
{
    struct exec_key *key = &scratch->record.key;
    struct record_header *header = &scratch->record.header;
    __builtin_memset(key->invoked, 0, INVOKED_BYTES);
    __builtin_memset(key->argv0, 0, INVOKED_BYTES);
    key->subject = header->subject;
    key->epoch = header->epoch;
    key->dentry = scratch->record.file.key.dentry;
    key->mount = scratch->record.file.key.mount;
    key->by_dentry = scratch->by.dentry;
    key->by_number = scratch->by.number;
    key->by_name_hash = scratch->by.name_hash;
    key->flags = header->flags & (FLAG_ENTERED | FLAG_IS_INIT | FLAG_FOREIGN_MOUNT_NS);
    key->environment = scratch->record.environment;
    key->stdio = scratch->record.inet_stdio;
    long length = bpf_probe_read_kernel_str(key->invoked, INVOKED_BYTES, READ(binprm, filename));
    bpf_probe_read_user_str(key->argv0, INVOKED_BYTES, (void *)READ(mm, arg_start));
    /* Exact or not at all: a cut name, a script (its interpreter's file says nothing about it), a process of unknown
     * descent or an environment not fully read must be looked at each time. */
    if (length >= INVOKED_BYTES || key->argv0[INVOKED_BYTES - 2] ||
        (header->flags & (FLAG_SCRIPT | FLAG_ENV_TRUNCATED | FLAG_NO_LINEAGE)))
        header->flags &= ~FLAG_CACHEABLE;
}

static __always_inline bool is_known_exec(struct exec_scratch *scratch)
{
    struct exec_value *known =
        scratch->record.header.flags & FLAG_CACHEABLE ? known_execs.lookup(&scratch->record.key) : 0;
    if (!known || !same_file(&known->file, &scratch->record.file.value))
        return false;
    stand_in(scratch->record.header.pid, known->told);
    count(HOOK_EXEC, COUNT_KNOWN);
    return true;
}

static __always_inline void send_exec(void *ctx, struct exec_scratch *scratch)
{
    u32 length = *(volatile u32 *)&scratch->offset;
    if (length > EXEC_TEXT_BYTES)
        length = EXEC_TEXT_BYTES;
    u32 bytes = hide(sizeof(struct exec_record) + length) &
                0x7fff; /* hidden: the verifier wants its bounds on the very register */
    if (bytes > sizeof(*scratch))
        return;
    if (actions.ringbuf_output(scratch, bytes, 0))
        count(HOOK_EXEC, LOSS_RING_FULL);
    else
        count(HOOK_EXEC, COUNT_SENT);
}

/* What this process is from now on, and what it was: the "by" of this exec. */
static __always_inline void remember(struct exec_scratch *scratch)
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
    scratch->record.by_exec_id = scratch->by.exec_id;
}

/* Whose exec is it, by descent? False: the container runtime's. */
static __always_inline bool find_descent(struct exec_scratch *scratch, struct task_struct *task,
                                         struct file *executable, u64 cgroup, struct traced_cgroup *traced)
{
    u64 subject_id = traced->subject;
    struct record_header *header = &scratch->record.header;
    struct process *process = fill_header(header, task, RECORD_EXEC, HOOK_EXEC, cgroup, traced);
    __builtin_memset(&scratch->by, 0, sizeof(scratch->by));
    if (process) {
        scratch->by = *process;
        return true;
    }
    if (is_runtime(task, executable, cgroup))
        return false;
    if (!parent_is_outside(READ(task, real_parent), cgroup))
        return true; /* born inside, but the table of processes was full, or it ran before us: descent unknown */
    /* First exec of a process that entered from outside: the container's init, or an exec into the container */
    struct subject *subject = subjects.lookup(&subject_id);
    header->flags &= ~FLAG_NO_LINEAGE;
    if (subject && !subject->init_start) {
        learn_init(subject, task, header->start_ns);
        header->flags |= FLAG_IS_INIT;
    } else {
        header->flags |= FLAG_ENTERED;
    }
    return true;
}

/* The executable, and what else the verdict cache's key is made of. */
static __always_inline void identify_exec(struct exec_scratch *scratch, struct task_struct *task, struct path *at,
                                          struct linux_binprm *binprm, struct mm_struct *mm)
{
    struct record_header *header = &scratch->record.header;
    struct file_part *file = &scratch->record.file;
    file->key.subject = header->subject;
    file->key.epoch = header->epoch;
    file->key.what = RECORD_EXEC << 8;
    file->access = 0;
    fill_file(file, at->dentry, at->mnt, task, header->subject, true, &header->flags);
    remember(scratch);
    if (READ(binprm, filename) != READ(binprm, interp))
        header->flags |= FLAG_SCRIPT;
    scan_environment(scratch, mm);
    look_at_stdio(&scratch->record, task);
    fill_key(scratch, binprm, mm);
}

/* The texts, one after the other: the order is the record's. */
static __always_inline void write_texts(struct exec_scratch *scratch, struct task_struct *task, struct path *at,
                                        struct linux_binprm *binprm, struct mm_struct *mm)
{
    struct record_header *header = &scratch->record.header;
    struct file_part *file = &scratch->record.file;
    scratch->offset = 0;
    if (file->origin == ORIGIN_MEMFD) {
        struct dentry_part part = {};
        read_dentry(at->dentry, &part);
        append_string(scratch, part.name.name, NAME_BYTES);
    } else {
        WALK_PATH(scratch->text, scratch->offset, PATH_BYTES - 1, at->dentry, at->mnt, header->flags);
    }
    file->path_bytes = scratch->offset;
    struct fs_struct *fs = READ(task, fs);
    u32 flags = 0;
    if (fs)
        WALK_PATH(scratch->text, scratch->offset, 2 * PATH_BYTES - 1, READ(fs, pwd.dentry), READ(fs, pwd.mnt), flags);
    if (flags)
        header->flags |= FLAG_CWD_TRUNCATED;
    scratch->record.cwd_bytes = scratch->offset - file->path_bytes;
    read_argv(scratch, mm);
    scratch->record.invoked_bytes = append_string(scratch, READ(binprm, filename), PATH_BYTES);
    scratch->record.interpreter_bytes = 0;
    if (header->flags & FLAG_SCRIPT)
        scratch->record.interpreter_bytes = append_string(scratch, READ(binprm, interp), NAME_BYTES);
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
    if (!scratch || !executable) {
        count(HOOK_EXEC, scratch ? LOSS_READ_FAULT : LOSS_SCRATCH);
        return 0;
    }
    if (!find_descent(scratch, task, executable, cgroup, traced)) {
        count(HOOK_EXEC, COUNT_RUNTIME_SETUP);
        return 0;
    }
    struct path at = {};
    copy_kernel(&at, sizeof(at), AT(executable, f_path));
    identify_exec(scratch, task, &at, binprm, mm);
    if (is_known_exec(scratch))
        return 0;
    u64 subject_id = scratch->record.header.subject;
    if (!take_token(subjects.lookup(&subject_id), HOOK_EXEC, BUCKET_ACTIONS))
        return 0;
    write_texts(scratch, task, &at, binprm, mm);
    read_tty(&scratch->record, task);
    const struct cred *cred = READ(task, cred);
    copy_kernel(&scratch->record.capabilities, 8, AT(cred, cap_effective));
    if (scratch->record.header.flags & FLAG_PATH_TRUNCATED)
        drop_truncated(&scratch->record.header, HOOK_EXEC);
    send_exec(ctx, scratch);
    return 0;
}
