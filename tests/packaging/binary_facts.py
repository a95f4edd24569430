"""What a shared library exports and needs, read by LIEF alike from ELF, PE and Mach-O files."""

from dataclasses import dataclass, field
from pathlib import Path

import lief

lief.logging.disable()

MACHINES = {"X86_64": "x86_64", "AMD64": "x86_64", "AARCH64": "aarch64", "ARM64": "arm64"}
FLAT_LOOKUP = -2  # BIND_SPECIAL_DYLIB_FLAT_LOOKUP: whatever library of the process has it
WRITE, EXECUTE = 2, 4  # vm_prot.h


@dataclass(frozen=True)
class Facts:
    """Of one file. Names of symbols are those of C: without Mach-O's underscore."""

    target: str  # as in targets.py: "windows-x86_64"
    exports: frozenset[str]
    libraries: frozenset[str]
    # {(library or "" where the loader may take any, symbol)}; a library of ELF is told by the symbol's version
    needed: frozenset[tuple[str, str]]
    search_paths: tuple[str, ...] = ()
    versions: dict[str, set[tuple[int, ...]]] = field(default_factory=dict)  # {"GLIBC": {(2, 14)}}
    writable_code: bool = False
    flaws: tuple[str, ...] = ()  # of the format alone

    @property
    def symbols(self) -> set[str]:
        return {symbol for _, symbol in self.needed}

    @property
    def system(self) -> str:
        return self.target.split("-")[0]


def read(path: Path) -> Facts:
    parsed = lief.parse(str(path))
    readers = {lief.ELF.Binary: elf, lief.PE.Binary: pe, lief.MachO.Binary: mach}
    assert type(parsed) in readers, f"{path} is no shared library that LIEF reads"
    return readers[type(parsed)](parsed)


def name(constant) -> str:
    return str(constant).rpartition(".")[2]


def target(system: str, machine: str) -> str:
    return f"{system}-{MACHINES.get(name(machine), name(machine))}"


def elf(file) -> Facts:
    needed, versions, exported = set(), {}, set()
    for symbol in file.dynamic_symbols:
        version = symbol.symbol_version
        named = version.symbol_version_auxiliary.name if version and version.has_auxiliary_version else ""
        if not symbol.name or name(symbol.binding) == "LOCAL":
            continue
        if symbol.shndx:
            exported.add(symbol.name)
        elif named or name(symbol.binding) != "WEAK":  # a weak one may be absent
            family, _, number = named.rpartition("_")
            needed.add((family, symbol.name))
            if named:  # "GLIBC_PRIVATE" has no number, and is no interface
                is_number = number.replace(".", "").isdigit()
                parts = tuple(map(int, number.split("."))) if is_number else (0,)
                versions.setdefault(family if is_number else named, set()).add(parts)
    tags = {name(entry.tag) for entry in file.dynamic_entries}
    stack = [s for s in file.segments if name(s.type) == "GNU_STACK"]
    flags = [name(segment.flags) for segment in file.segments if name(segment.type) == "LOAD"] + [
        str(segment.flags) for segment in stack
    ]
    return Facts(
        target("linux", file.header.machine_type),
        frozenset(exported),
        frozenset(file.libraries),
        frozenset(needed),
        tuple(sorted(tags & {"RPATH", "RUNPATH"})),
        versions,
        any("W" in flag and "X" in flag for flag in flags),
        () if stack else ("its stack may be executed",),
    )


def pe(file) -> Facts:
    imports = [(entry.name, (e.name or f"#{e.ordinal}" for e in entry.entries)) for entry in file.imports]
    delayed = [(entry.name, (e.name for e in entry.entries)) for entry in file.delay_imports]
    flags = lief.PE.OptionalHeader.DLL_CHARACTERISTICS
    wanted = (flags.DYNAMIC_BASE, flags.NX_COMPAT, flags.HIGH_ENTROPY_VA)
    kinds = lief.PE.Section.CHARACTERISTICS
    return Facts(
        target("windows", file.header.machine),
        frozenset(entry.name for entry in file.get_export().entries) if file.has_exports else frozenset(),
        frozenset(library for library, _ in [*imports, *delayed]),
        frozenset((library, symbol) for library, symbols in [*imports, *delayed] for symbol in symbols),
        writable_code=any(
            s.has_characteristic(kinds.MEM_WRITE) and s.has_characteristic(kinds.MEM_EXECUTE) for s in file.sections
        ),
        flaws=tuple(f"{name(flag)} is not set" for flag in wanted if not file.optional_header.has(flag)),
    )


def mach(file) -> Facts:
    loaded = [library.name for library in file.libraries if name(library.command) != "ID_DYLIB"]
    exported = file.dyld_info.exports if file.has_dyld_info else file.dyld_exports_trie.exports
    oldest = tuple(file.build_version.minos)[:2] if file.has_build_version else tuple(file.version_min.version)[:2]
    weak = {name(flag) for flag in file.header.flags_list} & {"WEAK_DEFINES", "BINDS_TO_WEAK"}
    needed = set()  # what the loader looks up; the table of symbols has also what only removed code needed
    for binding in file.bindings:
        named = binding.has_library and binding.library_ordinal != FLAT_LOOKUP
        needed.add((binding.library.name if named else "", binding.symbol.name.removeprefix("_")))
    return Facts(
        target("macos", file.header.cpu_type),
        frozenset(entry.symbol.name.removeprefix("_") for entry in exported),
        frozenset(loaded),
        frozenset(needed),
        tuple(rpath.path for rpath in file.rpaths),
        {"macOS": {oldest}},
        any(segment.max_protection & WRITE and segment.max_protection & EXECUTE for segment in file.segments),
        (
            *(() if file.has_code_signature else ("it has no signature, which Apple's processors demand",)),
            *(["other libraries' functions may take the place of its own (weak symbols)"] if weak else []),
        ),
    )
