/* SPDX-License-Identifier: GPL-2.0-only */
/* Paths from dentries, leaf first, up to the root of the mount namespace.
 *
 * Not to the task's own root: a process may chroot to /tmp/fake and would then be believed to run /usr/sbin/nginx.
 * After pivot_root the mount namespace's root is the container's root, so the path is told as the container sees it.
 * The offset lives in map memory, not in a register: the verifier then sees the same unknown number in every round and
 * prunes, where a register's growing range makes it walk all paths through the loop ("too large").
 */

#define PATH_ROUNDS 96 /* components and mount crossings; deeper is truncated and marked */

struct walk {
    struct dentry *dentry;
    struct vfsmount *mount;
};

/* One step up. Returns 0 at the top. *name is the component to write, 0 for a mount crossing. */
static __always_inline int step_up(struct walk *at, struct qstr *name)
{
    struct {
        struct dentry *parent;
        struct qstr name;
    } here = {};
    struct dentry *root = READ(at->mount, mnt_root);
    name->name = 0;
    if (at->dentry == root) {
        struct mount *mounted = AROUND(at->mount, struct mount, mnt);
        struct mount *parent = READ(mounted, mnt_parent);
        if (!parent || parent == mounted)
            return 0;
        at->dentry = READ(mounted, mnt_mountpoint);
        at->mount = (struct vfsmount *)AT(parent, mnt);
        return 1;
    }
    here.parent = READ(at->dentry, d_parent);
    if (here.parent == at->dentry || !here.parent) /* memfd, pipe, or detached */
        return 0;
    copy_kernel(name, sizeof(*name), AT(at->dentry, d_name));
    at->dentry = here.parent;
    return 1;
}

static __always_inline u64 mix(u64 hash, u64 value)
{
    hash = (hash ^ value) * 0x9e3779b97f4a7c15ull;
    return hash ^ (hash >> 29);
}

/* Hash of the names and mounts above a file, its own name included. d_name.hash_len is salted by the kernel with the
 * parent's address, which nobody in a container knows: names cannot be chosen to collide. */
static __always_inline u64 chain_hash(struct dentry *dentry, struct vfsmount *mount)
{
    struct walk at = {dentry, mount};
    struct qstr name = {};
    u64 hash = 0;
#pragma clang loop unroll(disable)
    for (int round = 0; round < PATH_ROUNDS; round++) {
        if (!step_up(&at, &name))
            break;
        hash = mix(hash, name.name ? name.hash_len : (u64)at.mount);
    }
    return hash;
}

/* Write a path's components into text at *offset (bytes, in map memory). limit + NAME_BYTES must lie inside text and
 * limit + 1 be a power of two. Returns 0, or FLAG_PATH_TRUNCATED. */
#define WALK_PATH(text, offset, limit, start_dentry, start_mount, flags) \
    do { \
        struct walk _at = {(start_dentry), (start_mount)}; \
        struct qstr _name = {}; \
        int _more = 1; \
        _Pragma("clang loop unroll(disable)") for (int _round = 0; _round < PATH_ROUNDS; _round++) \
        { \
            _more = step_up(&_at, &_name); \
            if (!_more) \
                break; \
            if (!_name.name) \
                continue; \
            u32 _offset = *(volatile u32 *)&(offset); \
            if (_offset > (limit)) \
                break; \
            long _length = bpf_probe_read_kernel_str(&(text)[_offset & (limit)], NAME_BYTES, _name.name); \
            if (_length <= 0) \
                break; \
            *(volatile u32 *)&(offset) = _offset + _length; \
        } \
        if (_more) \
            (flags) |= FLAG_PATH_TRUNCATED; \
    } while (0)
