/* libtorch asks dbghelp.dll for the names of the functions on the stack when it throws certain errors, memory that ran
 * out among them. Wine 8's writes where it should not, and the process ends at its next error. Here no name is known.
 * https://learn.microsoft.com/windows/win32/debug/dbghelp-functions */

int DllMainCRTStartup(void *module, unsigned reason, void *reserved);
int DllMainCRTStartup(void *module, unsigned reason, void *reserved)
{
    (void)module, (void)reason, (void)reserved;
    return 1;
}

__declspec(dllexport) unsigned SymGetOptions(void) { return 0; }
__declspec(dllexport) unsigned SymSetOptions(unsigned options) { return options; }

/* 0: it failed. */
__declspec(dllexport) int SymInitialize(void *process, const char *path, int invade)
{
    (void)process, (void)path, (void)invade;
    return 0;
}

__declspec(dllexport) int SymCleanup(void *process)
{
    (void)process;
    return 1;
}

__declspec(dllexport) int SymFromAddr(void *process, unsigned long long address, unsigned long long *offset,
                                      void *symbol)
{
    (void)process, (void)address, (void)offset, (void)symbol;
    return 0;
}

__declspec(dllexport) int SymGetLineFromAddr64(void *process, unsigned long long address, unsigned *offset, void *line)
{
    (void)process, (void)address, (void)offset, (void)line;
    return 0;
}
