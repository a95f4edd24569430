# Everything starts here: `make help` lists what there is. The work of installing is in tools/bootstrap.sh.
PORTRAIT ?= sonic_nodes/assets/sample/portrait.jpg
SPEECH ?= sonic_nodes/assets/sample/speech.wav
OUT ?= out/demo.mp4
ENGINE ?= draft
export PORTRAIT SPEECH OUT ENGINE MODELS OPTIONS PYTHON TORCH LOCK MAX_JOBS BINARIES

.PHONY: help demo test test-gpu build wheel wheel-windows test-windows wheel-aarch64 wheel-macos test-aarch64 pack bench
.PHONY: lint asan ubsan fuzz vectorised clean
.DEFAULT_GOAL := help

help:
	@echo "make demo    install what is needed and let the sample portrait speak: $(OUT)"
	@echo "make test    install what is needed and run the tests            (ARGS=\"-k audio\")"
	@echo "make test-gpu   the tests of networks and engine on a simulated GPU, or on a real one   (DEVICE=cuda)"
	@echo "make build   install what is needed and leave .venv/bin/sonic"
	@echo "make wheel   dist/*.whl: one file for every Python, PyTorch and NumPy, with OpenCV and libjpeg-turbo inside"
	@echo "make wheel-windows   the same for Windows on x86-64, built here with Zig"
	@echo "make test-windows    that wheel in Windows' own Python under Wine: commands and tests (ARGS=tests/face)"
	@echo "make wheel-aarch64   the same for Linux on 64-bit Arm, built here with Debian's cross compiler"
	@echo "make test-aarch64    tests that wheel in an emulator, qemu-user   (ARGS=\"parity frames\")"
	@echo "make wheel-macos     the same for macOS on Apple silicon; it has not been run there yet"
	@echo "make pack    dist/*.zip: the archive for ComfyUI's registry, with the compiled parts of the wheels in dist/"
	@echo "make bench   measure what the README claims"
	@echo "make lint    ruff and clang-format; prints the longest functions and files, fails on those over the limits"
	@echo "make asan    the C-facing tests under AddressSanitizer and UndefinedBehaviorSanitizer"
	@echo "make ubsan   the same with clang, under UndefinedBehaviorSanitizer alone: faster"
	@echo "make fuzz    the fuzz targets of tests/fuzz under libFuzzer and atheris, a minute each   (SECONDS=600)"
	@echo "make vectorised   which loops of the quality gate became vector instructions: GCC's report"
	@echo "make clean   remove what was built; .venv stays"
	@echo
	@echo "PORTRAIT=picture SPEECH=recording OUT=video.mp4   for make demo"
	@echo "ENGINE=sonic MODELS=folder   for make demo with the diffusion model, whose weights are ComfyUI's models folder"
	@echo "OPTIONS=\"--min-resolution 256 --steps 10\"   for make demo: options of sonic render"
	@echo "PYTHON=python3.12   the Python to use     TORCH=torch.whl   the PyTorch to install (pip requirement or wheel)"
	@echo "BINARIES=\"linux-x86_64 windows-x86_64\"   for make pack with fewer systems than all"
	@echo "MAX_JOBS=2   files to compile at a time   LOCK=no   for the tools, other files than the locked ones"

demo:
	@bash tools/bootstrap.sh run
	@mkdir -p "$$(dirname "$$OUT")"
	@video=$$(.venv/bin/sonic render "$$PORTRAIT" "$$SPEECH" -o "$$OUT" --engine "$$ENGINE" \
	    $${MODELS:+--models "$$MODELS"} $$OPTIONS) && echo "The portrait speaks: $$video"

test:
	@bash tools/bootstrap.sh test
	@bash tools/wine/wanted.sh
	@.venv/bin/python -m pytest $(ARGS)

test-gpu:
	@bash tools/bootstrap.sh test
	@.venv/bin/python -m pytest --device $(or $(DEVICE),simulated:1) \
	    tests/gpu tests/torch tests/models tests/sampler tests/engines $(ARGS)

test-windows: wheel-windows
	@bash tools/bootstrap.sh windows
	@.venv/bin/python -m tools.wine.suite $(ARGS)

build:
	@bash tools/bootstrap.sh run
	@echo "Ready: .venv/bin/sonic"

wheel:
	@bash tools/bootstrap.sh wheel
	@bash tools/wheel.sh

TARGET_windows := windows-x86_64
TARGET_aarch64 := linux-aarch64
TARGET_macos := macos-arm64
wheel-windows wheel-aarch64 wheel-macos: wheel-%:
	@SONIC_TARGET=$(TARGET_$*) bash tools/bootstrap.sh wheel
	@SONIC_TARGET=$(TARGET_$*) bash tools/wheel.sh

test-aarch64: wheel-aarch64
	@bash tools/bootstrap.sh aarch64
	@.venv/bin/python -m tools.qemu.check $(ARGS)

pack:
	@bash tools/bootstrap.sh wheel
	@bash tools/pack.sh

bench:
	@bash tools/bootstrap.sh test
	@failed=; for script in $$(grep -l '^if __name__' bench/*.py); do \
	    echo; echo "$$script"; .venv/bin/python -m "bench.$$(basename "$$script" .py)" || failed="$$failed $$script"; \
	done; if [ "$$failed" ]; then echo "Look at the output above of:$$failed"; exit 1; fi

lint:
	@bash tools/bootstrap.sh test
	@.venv/bin/python -m tools.lint

asan:
	@bash tools/bootstrap.sh test
	@bash tools/asan.sh $(ARGS)

ubsan:
	@bash tools/bootstrap.sh test
	@SONIC_SANITIZE=undefined bash tools/asan.sh $(ARGS)

fuzz:
	@bash tools/fuzz.sh $(or $(SECONDS),60)

vectorised:
	@python3 tools/vectorised.py $(ARGS)

clean:
	rm -rf build dist out *.egg-info .pytest_cache .hypothesis .ruff_cache
	find sonic_nodes tests bench tools -name __pycache__ -prune -exec rm -rf {} +
	rm -f sonic_nodes/_sonic*.so
