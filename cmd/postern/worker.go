package main

import (
	"context"
	"fmt"
	"os"

	"postern/internal/mail"
	"postern/internal/relay/judge"
	"postern/internal/relay/mailauth"
	"postern/internal/relay/parse"
	"postern/internal/relay/scan"
)

// workerVerb makes this program the judge's child process: it reads messages from
// standard input and writes judgements to standard output. People do not call it,
// and it does not go through the command line's parser, which takes longer to build
// than a message to judge.
const workerVerb = "judge-worker"

func judgeWorker() (exit int) {
	if err := judge.Worker(os.Stdin, os.Stdout, newJudge); err != nil {
		fmt.Fprintln(os.Stderr, "judge-worker:", err)
		return exitFailed
	}
	return exitDone
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
