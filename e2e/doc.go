// Package e2e tests the whole program: the real binary as a child process, with
// configuration files, sockets and the command line, exactly as an administrator
// has them. Nothing here reaches into the program; what it said and what it kept
// are compared with ledgers that the tests keep outside of it.
//
// POSTERN_BIN names a binary to test instead of building one, POSTERN_TESTDATA the
// folder of development mail, POSTERN_KILLS how often kill_test.go kills, and
// POSTERN_LONG=1 adds what takes minutes or gigabytes.
package e2e
