# rbdmap: build, install, try, test. `make demo` and `make test` are all that a newcomer needs.

# Where `make install` puts things. /usr/local goes before /usr in every search path that matters here, so that the
# program can be installed beside ceph-common without touching a file of it; packages say PREFIX=/usr.
PREFIX ?= /usr/local
DESTDIR ?=
LIBEXEC = $(PREFIX)/libexec/rbdmap
UNITS = $(PREFIX)/lib/systemd/system
GENERATORS = $(PREFIX)/lib/systemd/system-generators
RULES = $(PREFIX)/lib/udev/rules.d
MAN = $(PREFIX)/share/man
DOC = $(PREFIX)/share/doc/rbdmap
CATALOG = $(PREFIX)/lib/systemd/catalog

PROGRAM = target/release/rbdmap
DOCUMENTS = README.md CHANGELOG.md SECURITY.md LICENSE-MIT LICENSE-APACHE
SERVICES = rbdmap@.service rbdmap.service rbdmap-hook@.service rbdmap-nofail.service rbdmap-prepare.service rbdmap-sweep.service

.PHONY: all build setup setup-build install demo test check oracle lab lab-shell soak lint bench clean

all: build

# The Debian packages that building needs. packaging/tools/setup lists them with their reasons.
setup-build:
	packaging/tools/setup build

# The Debian packages that the tests need: for building, checking units, the lab.
setup:
	packaging/tools/setup build check lab

build: setup-build
	cargo build --release --locked

# Copies files, builds nothing: `make build` comes first, so that it can be run as another user.
install:
	install -D -m 755 $(PROGRAM) $(DESTDIR)$(LIBEXEC)/rbdmap
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(GENERATORS) $(DESTDIR)$(UNITS)
	ln -sf ../libexec/rbdmap/rbdmap $(DESTDIR)$(PREFIX)/bin/rbdmap
	ln -sf ../../../libexec/rbdmap/rbdmap $(DESTDIR)$(GENERATORS)/rbdmap-generator
	for unit in $(SERVICES); do \
	    sed 's|@libexecdir@|$(PREFIX)/libexec|g' units/$$unit.in >$(DESTDIR)$(UNITS)/$$unit && \
	    chmod 644 $(DESTDIR)$(UNITS)/$$unit || exit 1; \
	done
	install -D -m 644 -t $(DESTDIR)$(RULES) units/50-rbd.rules units/61-rbd-content.rules
	for page in packaging/man/*; do \
	    installed=$(DESTDIR)$(MAN)/man$${page##*.}/$${page##*/} && install -D -m 644 $$page $$installed && \
	    sed -i 's|@prefix@|$(PREFIX)|g' $$installed || exit 1; \
	done
	install -D -m 644 -t $(DESTDIR)$(CATALOG) packaging/data/rbdmap.catalog
	install -D -m 644 etc/rbdmap $(DESTDIR)$(DOC)/examples/rbdmap
	install -D -m 644 etc/rbdmap.toml $(DESTDIR)$(DOC)/examples/rbdmap.toml
	install -D -m 644 packaging/data/status.schema.json $(DESTDIR)$(DOC)/status.schema.json
	install -D -m 644 -t $(DESTDIR)$(DOC) $(DOCUMENTS)
	install -D -m 644 -t $(DESTDIR)$(DOC)/docs docs/*

# A guest boots with an image mapped and mounted, and powers off: watch it.
demo: setup build
	tests/lab/lab demo

# Everything: unit tests, golden directories, Ceph's own commands as oracles, the scenarios in the lab, and three power cuts.
test: setup build check oracle
	tests/lab/lab test 3

# What takes hours: the boot storm, kills, power cuts, 500 images and more. `make soak SCENARIO="killed-many power-cuts"` runs these parts,
# `tests/lab/lab soak --list` names them, `make soak SEED=N` repeats the random choices of a run.
soak: setup build
	cargo test --quiet --locked --test boot-storm
	SEED=$(SEED) tests/lab/lab soak $(SCENARIO)

# What needs no lab, in seconds.
check:
	cargo test --workspace --locked

# What rbd, ceph-conf and ceph-authtool say of the same files and options, beside what ours says.
oracle: setup
	tests/oracle/run

# `make lab SCENARIO="guide nested"`, all of them without SCENARIO.
lab: setup build
	tests/lab/lab run $(SCENARIO)

# A root shell in a guest: `make lab-shell`, or `make lab-shell GUEST=bookworm`.
lab-shell: setup build
	tests/lab/lab shell $(GUEST)

lint:
	packaging/tools/setup build check lint
	packaging/tools/lint

# Ours beside the shell script, the rbd command and the floor, in one guest.
bench: setup build
	tests/lab/lab bench

clean:
	cargo clean
