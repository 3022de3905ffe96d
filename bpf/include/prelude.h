/* SPDX-License-Identifier: GPL-2.0-only */
/* Small words the hooks use. Type definitions come from the running kernel's BTF (see probe/headers.py). */

#define true 1
#define false 0
/* bcc looks for these helpers in /proc/kallsyms, and where that hides its addresses (no CAP_SYSLOG, kptr_restrict=2)
 * defines them away as the old bpf_probe_read, which the cgroup programs may not call. 5.5 has them all. */
#undef bpf_probe_read_kernel
#undef bpf_probe_read_kernel_str
#undef bpf_probe_read_user
#undef bpf_probe_read_user_str

#ifndef offsetof
#define offsetof(type, member) __builtin_offsetof(type, member)
#endif
#undef __always_inline
#define __always_inline inline __attribute__((always_inline))

/* BCC rewrites every dereference of a pointer it knows to come from the kernel into a probe read of the whole
 * structure, and follows such pointers through assignments. hide() breaks that trail, so that what is read, and how, is
 * what the source says. It costs one register move. */
static __always_inline u64 hide(u64 value)
{
    u64 hidden;
    asm("%0 = %1" : "=r"(hidden) : "r"(value));
    return hidden;
}

#define ARGUMENT(type, n) ((type)hide(ctx->args[n]))
#define CURRENT_TASK() ((struct task_struct *)hide(bpf_get_current_task()))
#define TYPED_TASK() ((struct task_struct *)hide((u64)bpf_get_current_task_btf())) /* for plain loads; Linux 5.11 */

static __always_inline long copy_kernel(void *to, u32 bytes, u64 from)
{
    return bpf_probe_read_kernel(to, bytes, (const void *)from);
}

/* Address of a field of kernel memory, as a number. */
#define AT(pointer, field) ((u64)(pointer) + offsetof(typeof(*(pointer)), field))

#if defined(BTF_ID_bpf_rdonly_cast) && !defined(PROBE_READS)
#define PLAIN_LOADS 1
/* Linux 6.2 has bpf_rdonly_cast: the verifier takes any number for the address of a structure, and loads from there are
 * plain ones, a nanosecond each, that read 0 where nothing is mapped. The call itself costs nothing, the verifier makes
 * a register move of it. It is a kernel function, whose call clang knows only with BTF of the programs: KERNEL_FUNCTION
 * says by the number what probe/object.py makes of it. The structure: timespec64, which starts with eight bytes that
 * are no pointer. */
#define KERNEL_FUNCTION 0x40000000
static u64 (*const readonly_cast)(u64 address, u64 type) = (void *)(KERNEL_FUNCTION + BTF_ID_bpf_rdonly_cast);

static __always_inline u64 readable(u64 address)
{
    return hide(readonly_cast(address, BTF_ID_timespec64));
}

/* Read one field of one, two, four or eight bytes; 0 when the memory cannot be read. */
#define READ(pointer, field) \
    ((typeof(0 ? (pointer)->field : (pointer)->field))hide((u64) * \
                                                           (typeof((pointer)->field) *)readable(AT(pointer, field))))
#else
/* Read one field; 0 when the memory cannot be read. The conditional takes the const off fields that have it: a const
 * variable set to 0 stays 0 for the compiler, whatever is copied over it. */
#define READ(pointer, field) \
    ({ \
        typeof(0 ? (pointer)->field : (pointer)->field) _value = 0; \
        copy_kernel(&_value, sizeof((pointer)->field), AT(pointer, field)); \
        (typeof(_value))hide((u64)_value); \
    })
#endif

/* The structure around a member. */
#define AROUND(pointer, type, member) ((type *)((u64)(pointer)-offsetof(type, member)))

/* Read neighbouring fields first..last of a structure into a buffer of the right size. */
#define SPAN(type, first, last) (offsetof(type, last) + sizeof(((type *)0)->last) - offsetof(type, first))
#define IN_SPAN(buffer, type, first, field) \
    (*(typeof(((type *)0)->field) *)((buffer) + offsetof(type, field) - offsetof(type, first)))
