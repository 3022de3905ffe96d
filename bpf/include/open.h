/* SPDX-License-Identifier: GPL-2.0-only */
/* The body of every hook that sees an opened or mapped file. */

#define FMODE_READ_BIT 0x1
#define FMODE_WRITE_BIT 0x2
#define FMODE_CREATED_BIT 0x100000
#define OPEN_APPEND 02000
#define OPEN_TRUNC 01000
#define PROT_EXEC_BIT 0x4
#define MNT_NS_INTERNAL_ERROR -22 /* fs/mount.h: MNT_NS_INTERNAL, ERR_PTR(-EINVAL) */
#define SB_KERNMOUNT_BIT 0x400000
#define MAP_ANONYMOUS_BIT 0x20

/* Look in the verdict cache. Returns true when there is nothing to tell. */
static __always_inline bool is_known(struct file_key *key, struct dentry *dentry, struct vfsmount *mount)
{
    struct file_value *known = known_files.lookup(key);
    if (!known)
        return false;
    struct dentry_part part = {};
    struct file_value now = {};
    read_dentry(dentry, &part);
    read_identity(part.inode, &now);
    now.name_hash = part.name.hash_len;
    return still_holds(known, &now, dentry, mount);
}

static __always_inline void send_file(void *ctx, struct file_scratch *scratch, u32 hook)
{
    u32 length = *(volatile u32 *)&scratch->offset;
    if (length > PATH_BYTES + NAME_BYTES)
        length = PATH_BYTES + NAME_BYTES;
    scratch->record.file.path_bytes = length;
    u32 bytes = hide(sizeof(struct open_record) + length) & 0x1fff; /* hidden: the verifier wants its bounds on the very register */
    if (bytes > sizeof(*scratch))
        return;
    if (files.ringbuf_output(scratch, bytes, 0))
        count(hook, LOSS_RING_FULL);
    else
        count(hook, COUNT_SENT);
}

/* Everything after the cache missed: not in line with the hot path, and big. */
static __always_inline void write_file(void *ctx, struct file_scratch *scratch, struct task_struct *task,
                                       struct file_key *key, u64 cgroup, struct traced_cgroup *traced, u8 kind,
                                       u32 hook, u32 access, u32 flags)
{
    u32 zero = 0;
    u64 subject_id = traced->subject;
    struct subject *subject = subjects.lookup(&subject_id);
    struct record_header *header = &scratch->record.header;
    struct file_part *file = &scratch->record.file;
    struct dentry *dentry = (struct dentry *)key->dentry;
    struct vfsmount *mount = (struct vfsmount *)key->mount;
    struct process *process = fill_header(header, task, kind, hook, cgroup, traced);
    if (!process && current_is_runtime(task, cgroup)) {
        count(hook, COUNT_RUNTIME_SETUP);
        return;
    }
    if (!take_token(subject, hook, BUCKET_FILES))
        return;
    file->key = *key;
    file->access = access;
    struct config *settings = config.lookup(&zero);
    fill_file(file, dentry, mount, task, subject, settings, kind == RECORD_LOAD);
    header->flags |= flags | foreign_mount_ns(subject, task);
    if ((file->mode & 0170000) == 0040000)
        header->flags |= FLAG_DIRECTORY;
    scratch->offset = 0;
    if (file->origin == ORIGIN_MEMFD) {
        struct dentry_part part = {};
        read_dentry(dentry, &part);
        long length = bpf_probe_read_kernel_str(scratch->path, NAME_BYTES, part.name.name);
        scratch->offset = length > 0 ? length : 0;
    } else {
        WALK_PATH(scratch->path, scratch->offset, PATH_BYTES - 1, dentry, mount, header->flags);
    }
    if (header->flags & FLAG_PATH_TRUNCATED)
        count(hook, LOSS_PATH_TRUNCATED); /* and never cacheable: what is missing may change */
    else if (!changed_just_now(&file->value, settings))
        header->flags |= FLAG_CACHEABLE;
    send_file(ctx, scratch, hook);
}

static __always_inline void tell_file(void *ctx, struct file_key *key, u64 cgroup, struct traced_cgroup *traced,
                                      u8 kind, u32 hook, u32 access, u32 flags)
{
    u32 zero = 0;
    struct file_scratch *scratch = file_scratch.lookup(&zero);
    if (!scratch) {
        count(hook, LOSS_SCRATCH);
        return;
    }
    if (!claim(&scratch->users, hook))
        return;
    write_file(ctx, scratch, CURRENT_TASK(), key, cgroup, traced, kind, hook, access, flags);
    release(&scratch->users);
}

/* Overlayfs reads the directories of its layers by opening them: on a private clone of their mount, which is in no
 * namespace, and with the credentials of whoever mounted it. Both, because a program may override its credentials too
 * (io_uring's personalities), and the kernel's own file systems (memfd) are in no namespace either. */
static __always_inline bool opened_by_overlay(struct task_struct *task, struct vfsmount *mount)
{
    struct mount *mounted = AROUND(mount, struct mount, mnt);
    if ((long)READ(mounted, mnt_ns) != MNT_NS_INTERNAL_ERROR || READ(task, cred) == READ(task, real_cred))
        return false;
    struct super_block *superblock = READ(mount, mnt_sb);
    return !(READ(superblock, s_flags) & SB_KERNMOUNT_BIT);
}

/* One opened or mapped file of a traced cgroup. */
static __always_inline void see_file(void *ctx, struct file *file, u64 cgroup, struct traced_cgroup *traced, u8 kind,
                                     u32 hook, u32 extra_access, u32 flags)
{
    struct path at = {};
    if (copy_kernel(&at, sizeof(at), AT(file, f_path)) || !at.dentry) {
        count(hook, LOSS_READ_FAULT);
        return;
    }
    u32 mode = READ(file, f_mode);
    u32 access = extra_access & (ACCESS_CREATE | ACCESS_TRUNCATE | ACCESS_APPEND);
    if (mode & FMODE_READ_BIT)
        access |= ACCESS_READ;
    if (mode & FMODE_WRITE_BIT)
        access |= ACCESS_WRITE;
    if (mode & FMODE_CREATED_BIT)
        access |= ACCESS_CREATE;
    if (kind == RECORD_OPEN && !(mode & (FMODE_READ_BIT | FMODE_WRITE_BIT)))
        return; /* O_PATH: no access to the content; opening it for real comes later through /proc/self/fd */
    struct file_key key = {
        .subject = traced->subject,
        .dentry = (u64)at.dentry,
        .mount = (u64)at.mnt,
        .epoch = traced->epoch,
        .what = ((u32)kind << 8) | (access & (ACCESS_READ | ACCESS_WRITE | ACCESS_TRUNCATE)),
    };
    if (is_known(&key, at.dentry, at.mnt)) {
        count(hook, COUNT_KNOWN);
        return;
    }
    if (kind == RECORD_OPEN && opened_by_overlay(CURRENT_TASK(), at.mnt))
        return; /* the open it serves has been told */
    tell_file(ctx, &key, cgroup, traced, kind, hook, access, flags);
}
