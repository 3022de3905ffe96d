/* SPDX-License-Identifier: GPL-2.0-only */
/* Processes that ran in a container before the agent: a task iterator, run once at the start.
 *
 * Why an iterator and not /proc: it gives the exact start time and the kernel identities the other hooks compare with
 * (the image's superblock, the executable's dentry), which /proc does not tell. Iterates in the order of pids, so a
 * container's init comes first even where it is not pid 1 of a namespace.
 */
int iter_task(unsigned long long *ctx)
{
    struct task_struct *task = (struct task_struct *)ctx[1];
    if (!task)
        return 0;
    struct css_set *set = READ(task, cgroups);
    struct cgroup *home = set ? READ(set, dfl_cgrp) : 0;
    struct kernfs_node *node = home ? READ(home, kn) : 0;
    u64 cgroup = node ? READ(node, id) : 0;
    struct traced_cgroup *traced = traced_cgroups.lookup(&cgroup);
    u32 pid = READ(task, tgid);
    struct mm_struct *mm = READ(task, mm);
    struct file *executable = mm ? READ(mm, exe_file) : 0;
    if (!traced || READ(task, pid) != pid || !executable || is_runtime(task, executable, cgroup))
        return 0;
    u64 start = leader_start(task), subject_id = traced->subject;
    if (find_process(pid, start))
        return 0; /* already seen executing */
    struct subject *subject = subjects.lookup(&subject_id);
    struct process process = {.start = start, .exec_id = start, .subject = subject_id};
    if (subject && !subject->init_start) {
        learn_init(subject, task, start);
        process.flags = FLAG_IS_INIT;
    }
    struct path at = {};
    copy_kernel(&at, sizeof(at), AT(executable, f_path));
    struct dentry_part part = {};
    read_dentry(at.dentry, &part);
    process.dentry = (u64)at.dentry;
    process.number = part.inode ? READ(part.inode, i_ino) : 0;
    process.name_hash = part.name.hash_len;
    if (processes.update(&pid, &process))
        count(HOOK_EXEC, LOSS_PROCESSES_FULL);
    return 0;
}
