package main

import (
	"context"
	"os"

	"postern/internal/mail"
	"postern/internal/relay/judge"
	"postern/internal/relay/mailauth"
	"postern/internal/relay/parse"
	"postern/internal/relay/scan"
)

// workerCmd is the judge's child process: it reads messages from standard input
// and writes judgements to standard output. People do not call it.
type workerCmd struct{}

func (workerCmd) Run(c *console) error {
	return judge.Worker(os.Stdin, os.Stdout, newJudge)
}

// newJudge puts the judge together: parse, authenticate, scan.
func newJudge(dns judge.Resolver) judge.Func {
	checker := &mailauth.Checker{Resolver: dns}
	stages := &judge.Stages{
		Parse: func(octets []byte) *mail.Message { return parse.Parse(octets, parse.Limits{}) },
		Auth: func(ctx context.Context, env *mail.Envelope, via mail.Architecture, octets []byte) mail.Auth {
			return checker.Check(ctx, env, via, octets)
		},
		Scan: &scan.Runner{Scanners: judge.Scanners()},
	}
	return stages.Judge
}
