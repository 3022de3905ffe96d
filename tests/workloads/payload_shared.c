/* A library to load: becomes /work/payload_shared.so. */
int driftline_payload(void);

int driftline_payload(void)
{
    return 23;
}
