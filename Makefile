.PHONY: build demo test check pages bench deb

build:            ## one static binary
	CGO_ENABLED=0 go build -trimpath -o bin/postern ./cmd/postern

demo:             ## the whole round trip on loopback
	CGO_ENABLED=0 go run ./cmd/postern demo

test:             ## every test; installs what it needs
	./e2e/setup.sh
	./e2e/test.sh

check:            ## format, vet, static analysis
	./e2e/check.sh

pages:            ## a picture of every page in pages/, and what is wrong with it
	./e2e/pages.sh

bench:            ## measured beside other relays, in one run
	./bench/run.sh

deb:              ## a Debian package in dist/
	./package/deb.sh
