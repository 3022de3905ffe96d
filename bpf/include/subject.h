/* SPDX-License-Identifier: GPL-2.0-only */
/* Whose event is it, may it be sent, and the counters. */

static __always_inline void count(u32 hook, u32 what)
{
    u32 index = hook * COUNTERS + what;
    u64 *counter = counters.lookup(&index);
    if (!counter)
        return;
    if (what >= LOSS_RING_FULL)
        __sync_fetch_and_add(counter, 1); /* exact, though LSM, fentry and cgroup programs can be preempted */
    else
        (*counter)++;
}

/* A path not known in full is never cached: what is missing may change. */
static __always_inline void drop_truncated(struct record_header *header, u32 hook)
{
    header->flags &= ~FLAG_CACHEABLE;
    count(hook, LOSS_PATH_TRUNCATED);
}

/* Take a scratch buffer, or leave it to the program we preempted. Adding before looking is safe against a preemption in
 * between, and needs no atomic exchange, which kernels before 5.12 lack. */
static __always_inline bool claim(u32 *users)
{
    __sync_fetch_and_add(users, 1);
    if (*(volatile u32 *)users == 1)
        return true;
    __sync_fetch_and_add(users, -1);
    return false;
}

static __always_inline void release(u32 *users)
{
    __sync_fetch_and_add(users, -1);
}

#define TS_COMPAT_BIT 0x2 /* thread_info.status during a 32-bit system call (arch/x86/include/asm/thread_info.h) */

static __always_inline u32 compat_flag(struct task_struct *task)
{
    return READ(task, thread_info.status) & TS_COMPAT_BIT ? FLAG_COMPAT : 0;
}

/* The first look-up of every hook: host processes stop here. */
static __always_inline struct traced_cgroup *current_traced(u64 *cgroup)
{
    *cgroup = bpf_get_current_cgroup_id();
    return traced_cgroups.lookup(cgroup);
}

/* Token bucket as virtual time (GCRA): next_ns is when the next event is due; a subject may be burst_ns ahead of now.
 * Two CPUs may both take the last token: a bucket is a bound against starvation, not an exact meter. What it refuses is
 * counted exactly. */
static __always_inline bool take_token(struct subject *subject, u32 hook, enum bucket which)
{
    u32 zero = 0;
    struct config *settings = config.lookup(&zero);
    if (!settings || !subject)
        return true;
    u64 now = bpf_ktime_get_ns();
    u64 next = subject->next_ns[which];
    if (next > now + settings->burst_ns[which]) {
        __sync_fetch_and_add(&subject->held_back[which], 1);
        count(hook, LOSS_BUCKET_EMPTY);
        return false;
    }
    subject->next_ns[which] = (next > now ? next : now) + settings->interval_ns[which];
    return true;
}

static __always_inline u32 current_mount_ns(struct task_struct *task)
{
    struct nsproxy *proxy = READ(task, nsproxy);
    struct mnt_namespace *ns = proxy ? READ(proxy, mnt_ns) : 0;
    return ns ? READ(ns, ns.inum) : 0;
}

/* The container's init executes first inside the cgroup: its root directory's file system is the image. */
static __always_inline void learn_init(struct subject *subject, struct task_struct *task, u64 start)
{
    struct fs_struct *fs = READ(task, fs);
    struct vfsmount *root = fs ? READ(fs, root.mnt) : 0;
    subject->root_superblock = root ? (u64)READ(root, mnt_sb) : 0;
    subject->mount_ns = current_mount_ns(task);
    subject->init_pid = READ(task, tgid);
    subject->init_start = start;
}

static __always_inline u64 leader_start(struct task_struct *task)
{
    struct task_struct *leader = READ(task, group_leader);
    return leader ? READ(leader, start_boottime) : 0;
}

/* Facts about a process that survive its fork: from the processes map, checked against pid reuse. */
static __always_inline struct process *find_process(u32 pid, u64 start)
{
    struct process *process = processes.lookup(&pid);
    return process && process->start == start ? process : 0;
}

static __always_inline bool parent_is_outside(struct task_struct *parent, u64 cgroup)
{
    struct css_set *set = parent ? READ(parent, cgroups) : 0;
    struct cgroup *home = set ? READ(set, dfl_cgrp) : 0;
    struct kernfs_node *node = home ? READ(home, kn) : 0;
    u64 parent_cgroup = node ? READ(node, id) : 0;
    struct traced_cgroup *traced = traced_cgroups.lookup(&parent_cgroup);
    struct traced_cgroup *own = traced_cgroups.lookup(&cgroup);
    return !(traced && own && traced->subject == own->subject);
}

/* The container runtime's own start-up: its executable does not live in this mount namespace (a file of the host, a
 * memfd, a detached mount), it has not executed anything since it entered, and its parent is not in the container. */
static __always_inline bool is_runtime(struct task_struct *task, struct file *executable, u64 cgroup)
{
    struct vfsmount *at = executable ? READ(executable, f_path.mnt) : 0;
    struct nsproxy *proxy = READ(task, nsproxy);
    if (!at || !proxy)
        return false;
    struct mount *mounted = AROUND(at, struct mount, mnt);
    return READ(mounted, mnt_ns) != READ(proxy, mnt_ns) && parent_is_outside(READ(task, real_parent), cgroup);
}

/* The same for what it opens and maps: it is in the cgroup before it leaves its parent's mount namespace, and copies
 * itself there. Not for its exec, which in a container without a mount namespace of its own is the entrypoint's. */
static __always_inline bool current_is_runtime(struct task_struct *task, u64 cgroup)
{
    struct mm_struct *mm = READ(task, mm);
    struct task_struct *parent = READ(task, real_parent);
    if (parent && current_mount_ns(parent) == current_mount_ns(task))
        return parent_is_outside(parent, cgroup);
    return is_runtime(task, mm ? READ(mm, exe_file) : 0, cgroup);
}

#define PROCESS_FLAGS (FLAG_ENTERED | FLAG_IS_INIT | FLAG_STAND_IN)

/* Fill what all records have. Returns the process's state, 0 if it has none. A process of another container that moved
 * into this one descends from a foreign init. */
static __always_inline struct process *fill_header(struct record_header *header, struct task_struct *task, u8 kind,
                                                   u8 hook, u64 cgroup, struct traced_cgroup *traced)
{
    struct task_struct *parent = READ(task, real_parent);
    const struct cred *cred = READ(task, cred);
    u64 ids = bpf_get_current_pid_tgid();
    header->abi = RECORD_ABI;
    header->kind = kind;
    header->hook = hook;
    header->flags = 0;
    header->kernel_ns = bpf_ktime_get_ns();
    header->cgroup = cgroup;
    header->subject = traced->subject;
    header->epoch = traced->epoch;
    header->pid = ids >> 32;
    header->tid = ids;
    header->ppid = parent ? READ(parent, tgid) : 0;
    header->uid = READ(cred, uid.val);
    header->gid = READ(cred, gid.val);
    header->euid = READ(cred, euid.val);
    header->start_ns = leader_start(task);
    header->pad = 0;
    bpf_get_current_comm(header->comm, sizeof(header->comm));
    struct process *process = find_process(header->pid, header->start_ns);
    header->exec_id = process ? process->exec_id : 0;
    if (process)
        header->flags |= process->subject == traced->subject ? process->flags & PROCESS_FLAGS : FLAG_ENTERED;
    else
        header->flags |= FLAG_NO_LINEAGE;
    return process;
}
