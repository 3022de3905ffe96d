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

/* A file's mode and path lie close together, in either order: one read. */
#define FILE_START \
    (offsetof(struct file, f_mode) < offsetof(struct file, f_path) ? offsetof(struct file, f_mode) & ~7 \
                                                                   : offsetof(struct file, f_path))
#define FILE_END \
    (offsetof(struct file, f_mode) < offsetof(struct file, f_path) \
         ? offsetof(struct file, f_path) + sizeof(struct path) \
         : offsetof(struct file, f_mode) + sizeof(u32))
#define FILE_SPAN (FILE_END - FILE_START)

/* Look in the verdict cache. Returns true when there is nothing to tell. In front of it, this CPU's last verdicts: no
 * hashing of keys. They are copies of entries that never change their meaning, only leave; and a copy's key holds the
 * epoch, too. LSM and fentry programs can be preempted between the comparison of a key and the look at its value: what
 * then lies there is another file's value, which does not hold for ours. */
static __always_inline bool is_known(struct file_key *key, struct dentry *dentry, struct vfsmount *mount)
{
    u32 place = (key->dentry >> 6 ^ key->dentry >> 14 ^ key->what ^ key->what >> 4) & (LAST_VERDICTS - 1);
    struct verdict *last = last_verdicts.lookup(&place);
    bool ours = last && last->key.dentry == key->dentry && last->key.mount == key->mount &&
                last->key.what == key->what && last->key.subject == key->subject && last->key.epoch == key->epoch;
    struct file_value *known = ours ? &last->value : known_files.lookup(key);
    if (!known)
        return false;
    if (!holds(known, dentry, mount)) {
        if (ours)
            last->key.dentry = 0; /* the verdict cache may hold a newer one: asked the next time */
        return false;
    }
    if (last && !ours) {
        last->value = *known;
        last->key = *key;
    }
    return true;
}

static __always_inline void send_file(void *ctx, struct file_scratch *scratch, u32 hook)
{
    u32 length = *(volatile u32 *)&scratch->offset;
    if (length > PATH_BYTES + NAME_BYTES)
        length = PATH_BYTES + NAME_BYTES;
    scratch->record.file.path_bytes = length;
    u32 bytes = hide(sizeof(struct open_record) + length) &
                0x1fff; /* hidden: the verifier wants its bounds on the very register */
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
    u64 subject_id = traced->subject;
    struct record_header *header = &scratch->record.header;
    struct file_part *file = &scratch->record.file;
    struct dentry *dentry = (struct dentry *)key->dentry;
    struct vfsmount *mount = (struct vfsmount *)key->mount;
    struct process *process = fill_header(header, task, kind, hook, cgroup, traced);
    if (!process && current_is_runtime(task, cgroup)) {
        count(hook, COUNT_RUNTIME_SETUP);
        return;
    }
    if (!take_token(subjects.lookup(&subject_id), hook, BUCKET_FILES))
        return;
    file->key = *key;
    file->access = access;
    header->flags |= flags;
    fill_file(file, dentry, mount, task, subject_id, kind == RECORD_LOAD, &header->flags);
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
        drop_truncated(header, hook);
    send_file(ctx, scratch, hook);
}

static __always_inline struct file_scratch *claim_file(u32 hook)
{
#pragma clang loop unroll(disable)
    for (u32 n = 0; n < SCRATCHES; n++) {
        u32 slot = n;
        struct file_scratch *scratch = file_scratch.lookup(&slot);
        if (scratch && claim(&scratch->users))
            return scratch;
    }
    count(hook, LOSS_SCRATCH);
    return 0;
}

static __always_inline void tell_file(void *ctx, struct file_key *key, u64 cgroup, struct traced_cgroup *traced,
                                      u8 kind, u32 hook, u32 access, u32 flags)
{
    struct file_scratch *scratch = claim_file(hook);
    if (!scratch)
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

/* One opened or mapped file of a traced cgroup. slot: address of its place in the descriptor table, 0 where the kernel
 * itself hands us the file. */
static __always_inline void see_file_at(void *ctx, struct file *file, u64 slot, u64 cgroup,
                                        struct traced_cgroup *traced, u8 kind, u32 hook, u32 extra_access, u32 flags)
{
#ifdef PLAIN_LOADS
    struct path at = {.mnt = READ(file, f_path.mnt), .dentry = READ(file, f_path.dentry)};
    u32 mode = READ(file, f_mode);
#else
    char span[FILE_SPAN] __attribute__((aligned(8)));
    copy_kernel(span, sizeof(span), (u64)file + FILE_START);
    struct path at = *(struct path *)(span + offsetof(struct file, f_path) - FILE_START);
    u32 mode = *(u32 *)(span + offsetof(struct file, f_mode) - FILE_START);
#endif
    if (!at.dentry) {
        count(hook, LOSS_READ_FAULT);
        return;
    }
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
    struct file *still = file;
    if (slot)
        copy_kernel(&still, sizeof(still), slot);
    if (still != file) {
        count(hook, LOSS_READ_FAULT); /* closed meanwhile: its memory may have been another file's already */
        return;
    }
    tell_file(ctx, &key, cgroup, traced, kind, hook, access, flags);
}

static __always_inline void see_file(void *ctx, struct file *file, u64 cgroup, struct traced_cgroup *traced, u8 kind,
                                     u32 hook, u32 extra_access, u32 flags)
{
    see_file_at(ctx, file, 0, cgroup, traced, kind, hook, extra_access, flags);
}
