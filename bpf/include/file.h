/* SPDX-License-Identifier: GPL-2.0-only */
/* What a file is: identity for the verdict cache, and where its content comes from. */

#define MAGIC_OVERLAY 0x794c7630
#define MAGIC_TMPFS 0x01021994

#ifdef HAVE_I_CTIME_SEC
#define INODE_LAST i_ctime_nsec
#elif defined(HAVE___I_CTIME)
#define INODE_LAST __i_ctime
#else
#define INODE_LAST i_ctime
#endif
#define INODE_SPAN SPAN(struct inode, i_ino, INODE_LAST)

/* Seconds and nanoseconds in one number. The mask: 6.13 "fs: add infrastructure for multigrain timestamps" keeps a flag
 * in the nanoseconds' top bit, which a mere stat sets. */
#define TIME(seconds, nanoseconds) (((u64)(seconds) << 30) | ((u32)(nanoseconds)&0x3fffffff))

/* The inode's number, size and change time lie side by side: one read. */
static __always_inline void read_identity(struct inode *inode, struct file_value *value)
{
    char span[INODE_SPAN] __attribute__((aligned(8)));
    copy_kernel(span, sizeof(span), AT(inode, i_ino));
    value->number = IN_SPAN(span, struct inode, i_ino, i_ino);
#ifdef HAVE_I_CTIME_SEC
    /* 6.11 "fs: uninline inode_..._ctime": seconds and nanoseconds are fields of their own */
    value->change_time =
        TIME(IN_SPAN(span, struct inode, i_ino, i_ctime_sec), IN_SPAN(span, struct inode, i_ino, i_ctime_nsec));
#else
    struct timespec64 time = IN_SPAN(span, struct inode, i_ino, INODE_LAST);
    value->change_time = TIME(time.tv_sec, time.tv_nsec);
#endif
    value->inode = (u64)inode;
}

/* Parent, name and inode of a dentry lie side by side: one read. */
struct dentry_part {
    struct dentry *parent;
    struct qstr name;
    struct inode *inode;
};
_Static_assert(offsetof(struct dentry, d_inode) - offsetof(struct dentry, d_parent) ==
                   offsetof(struct dentry_part, inode),
               "dentry: parent, name and inode no longer side by side");

static __always_inline void read_dentry(struct dentry *dentry, struct dentry_part *part)
{
#ifdef PLAIN_LOADS
    part->parent = READ(dentry, d_parent);
    part->name.hash_len = READ(dentry, d_name.hash_len);
    part->name.name = READ(dentry, d_name.name);
    part->inode = READ(dentry, d_inode);
#else
    copy_kernel(part, sizeof(*part), AT(dentry, d_parent));
#endif
}

static __always_inline struct dentry *upper_dentry(struct inode *inode)
{
    return READ(AROUND(inode, struct ovl_inode, vfs_inode), __upperdentry);
}

/* When the contents changed last. Not by the overlay's own inode: that one is only brought up to date by reads and
 * writes through it, so that a write through a shared mapping would pass unnoticed. */
static __always_inline u64 change_time(struct inode *inode, bool overlay)
{
    struct dentry *upper = overlay ? upper_dentry(inode) : 0;
    struct file_value value = {};
    read_identity(upper ? READ(upper, d_inode) : inode, &value);
    return value.change_time;
}

/* Is a verdict in the cache still about this very file? Cheap questions first. */
static __always_inline bool holds(struct file_value *known, struct dentry *dentry, struct vfsmount *mount)
{
    struct dentry_part now = {};
    read_dentry(dentry, &now);
    if (known->inode != (u64)now.inode || known->name_hash != now.name.hash_len ||
        known->number != READ(now.inode, i_ino))
        return false;
    if ((known->checks & CHECK_LOWER) && upper_dentry(now.inode))
        return false;
    if ((known->checks & CHECK_CHANGE_TIME) &&
        known->change_time != change_time(now.inode, known->checks & CHECK_OVERLAY))
        return false;
    return !(known->checks & CHECK_CHAIN) || known->chain_hash == chain_hash(dentry, mount);
}

/* The same of two values that fill_file has filled. */
static __always_inline bool same_file(struct file_value *known, struct file_value *now)
{
    if (known->inode != now->inode || known->number != now->number || known->name_hash != now->name_hash)
        return false;
    if ((known->checks & CHECK_LOWER) && !(now->checks & CHECK_LOWER))
        return false;
    if ((known->checks & CHECK_CHANGE_TIME) && known->change_time != now->change_time)
        return false;
    return !(known->checks & CHECK_CHAIN) || known->chain_hash == now->chain_hash;
}

static __always_inline bool is_pseudo(u32 magic, u32 mode)
{
    switch (magic) {
    case 0x9fa0:     /* proc */
    case 0x62656572: /* sysfs */
    case 0x27e0eb:   /* cgroup */
    case 0x63677270: /* cgroup2 */
    case 0x1cd1:     /* devpts */
    case 0x19800202: /* mqueue */
    case 0x64626720: /* debugfs */
    case 0x74726163: /* tracefs */
    case 0x73636673: /* securityfs */
    case 0xcafe4a11: /* bpf */
    case 0x6e736673: /* nsfs */
    case 0x09041934: /* anonymous inodes */
    case 0x50495045: /* pipes */
    case 0x534f434b: /* sockets */
        return true;
    }
    u32 type = mode & 0170000;
    return type == 0020000 || type == 0060000; /* device nodes, wherever they are */
}

/* Overlay: an upper dentry means the writable layer. A copy made only for chmod or chown keeps size and modification
 * time, which an attacker can forge too: user space compares the contents (see verdict/copyup.py). An open for writing
 * copies the image's file up: only after the LSM and fentry hooks, before the system call's exit. */
static __always_inline u8 overlay_origin(struct inode *inode, struct file_part *file)
{
    struct ovl_inode *overlay = AROUND(inode, struct ovl_inode, vfs_inode);
    if (!READ(overlay, __upperdentry))
        return file->access & ACCESS_WRITE ? ORIGIN_COPYUP : ORIGIN_IMAGE;
#ifdef HAVE_OVL_OE
    struct ovl_entry *entry = READ(overlay, oe); /* 6.5: ovl_inode got the lower stack */
    u32 lower = entry ? READ(entry, __numlower) : 0;
#elif defined(HAVE_OVL_LOWERPATH)
    u32 lower = READ(overlay, lowerpath.dentry) ? 1 : 0; /* 6.0 "ovl: store lower path in ovl_inode" */
#else
    u32 lower = READ(overlay, lower) ? 1 : 0;
#endif
    return lower ? ORIGIN_COPYUP : ORIGIN_WRITABLE;
}

static __always_inline u8 file_origin(struct inode *inode, struct dentry *dentry, struct dentry_part *part,
                                      struct vfsmount *mount, struct file_part *file, struct task_struct *task,
                                      struct subject *subject, u32 magic, struct super_block *superblock)
{
    if (magic == MAGIC_TMPFS && part->parent == dentry) {
        char name[8] = {};
        bpf_probe_read_kernel_str(name, sizeof(name), part->name.name);
        if (name[0] == 'm' && name[1] == 'e' && name[2] == 'm' && name[3] == 'f' && name[4] == 'd' && name[5] == ':')
            return ORIGIN_MEMFD;
    }
    if (is_pseudo(magic, file->mode))
        return ORIGIN_PSEUDO;
    if (!file->links)
        return ORIGIN_DELETED;
    struct mount *mounted = AROUND(mount, struct mount, mnt);
    struct nsproxy *proxy = READ(task, nsproxy);
    if (proxy && READ(mounted, mnt_ns) != READ(proxy, mnt_ns))
        return ORIGIN_HOST;
    if (subject && (u64)superblock == subject->root_superblock)
        return magic == MAGIC_OVERLAY ? overlay_origin(inode, file) : ORIGIN_ROOTFS;
    return magic == MAGIC_TMPFS ? ORIGIN_TMPFS : ORIGIN_VOLUME;
}

/* A process in another mount namespace than the container's init may see any path it likes. */
static __always_inline u32 foreign_mount_ns(struct subject *subject, struct task_struct *task)
{
    return subject && subject->mount_ns && subject->mount_ns != current_mount_ns(task) ? FLAG_FOREIGN_MOUNT_NS : 0;
}

/* A second change within the same tick leaves the change time as it is: a verdict about a file that changed a moment
 * ago could outlive the next change, so it is not kept. Change times are taken from a clock that ticks 100 to 1000
 * times a second. */
#define TICKS_NS 50000000
static __always_inline bool changed_just_now(struct file_value *value, struct config *settings)
{
    u64 changed = (value->change_time >> 30) * 1000000000ull + (value->change_time & 0x3fffffff);
    return (value->checks & CHECK_CHANGE_TIME) && settings &&
           bpf_ktime_get_ns() + settings->wall_ns < changed + TICKS_NS;
}

/* Fill everything about a file but its path; its access is there already. code: its contents matter. Adds to the
 * header's flags. */
static __always_inline void fill_file(struct file_part *file, struct dentry *dentry, struct vfsmount *mount,
                                      struct task_struct *task, u64 subject_id, bool code, u32 *flags)
{
    u32 zero = 0;
    struct subject *subject = subjects.lookup(&subject_id);
    struct config *settings = config.lookup(&zero);
    struct dentry_part part = {};
    read_dentry(dentry, &part);
    struct inode *inode = part.inode;
    struct super_block *superblock = READ(inode, i_sb);
    u32 magic = READ(superblock, s_magic);
    read_identity(inode, &file->value);
    file->value.name_hash = part.name.hash_len;
    file->value.pad = 0;
    file->size = READ(inode, i_size);
    file->links = READ(inode, i_nlink);
    file->mode = READ(inode, i_mode);
    file->device = READ(superblock, s_dev);
    file->key.dentry = (u64)dentry;
    file->key.mount = (u64)mount;
    file->origin = file_origin(inode, dentry, &part, mount, file, task, subject, magic, superblock);
    /* A directory of the image cannot be renamed, but a mount below the root can be moved */
    struct mount *mounted = AROUND(mount, struct mount, mnt);
    bool fixed = file->origin == ORIGIN_IMAGE && READ(mounted, mnt_parent) == mounted;
    file->value.checks = (file->origin == ORIGIN_IMAGE ? CHECK_CHANGE_TIME : 0) | (fixed ? 0 : CHECK_CHAIN);
    if (settings && settings->chain_always)
        file->value.checks |= CHECK_CHAIN;
    if (code)
        file->value.checks |= CHECK_CHANGE_TIME;
    bool overlay = magic == MAGIC_OVERLAY;
    if (overlay && !upper_dentry(inode))
        file->value.checks = (file->value.checks & ~CHECK_CHANGE_TIME) | CHECK_LOWER;
    else if (overlay)
        file->value.checks |= CHECK_OVERLAY;
    if (overlay)
        file->value.change_time = change_time(inode, true);
    *flags |= changed_just_now(&file->value, settings) ? 0 : FLAG_CACHEABLE;
    *flags |= foreign_mount_ns(subject, task);
    /* last, with little left alive: each value the verifier knows more about makes it walk the loop once more */
    file->value.chain_hash = chain_hash(dentry, mount);
}
