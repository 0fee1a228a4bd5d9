package main

type backupCmd struct{}
type restoreCmd struct{}
type verifyCmd struct{}
