/* Wine 8 lacks bcryptprimitives.dll, from which Rust's standard library, and so safetensors, takes random bytes.
 * https://learn.microsoft.com/windows/win32/seccng/processprng */

int SystemFunction036(void *bytes, unsigned long count); /* RtlGenRandom, in advapi32.dll */

int DllMainCRTStartup(void *module, unsigned reason, void *reserved);
int DllMainCRTStartup(void *module, unsigned reason, void *reserved)
{
    (void)module, (void)reason, (void)reserved;
    return 1;
}

__declspec(dllexport) int ProcessPrng(unsigned char *bytes, unsigned long long count)
{
    while (count) {
        unsigned long part = count > 1 << 20 ? 1 << 20 : (unsigned long)count;
        if (!SystemFunction036(bytes, part))
            return 0;
        bytes += part, count -= part;
    }
    return 1;
}
