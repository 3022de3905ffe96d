/* SPDX-License-Identifier: GPL-2.0-only */
/* The same places as lsm.bpf.c, at the entry of the functions that call the security modules.
 *
 * Why: trampolines are there more often than the BPF security module. Runs before any module has decided: an open that
 * one of them refuses is told all the same.
 */
int fentry_security_file_open(unsigned long long *ctx)
{
    see_opening(ctx, HOOK_ARGUMENT(struct file *, 0));
    return 0;
}

int fentry_security_mmap_file(unsigned long long *ctx)
{
    see_mapping(ctx, HOOK_ARGUMENT(struct file *, 0), ctx[1], ctx[2]);
    return 0;
}

int fentry_security_unix_stream_connect(unsigned long long *ctx)
{
    see_stream_connect(ctx, HOOK_ARGUMENT(struct sock *, 1));
    return 0;
}

int fentry_security_unix_may_send(unsigned long long *ctx)
{
    see_datagram(ctx, HOOK_ARGUMENT(struct socket *, 0), HOOK_ARGUMENT(struct socket *, 1));
    return 0;
}
