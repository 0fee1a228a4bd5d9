// Package api is the door for programs: what the portal does for people, as
// operations over HTTP that call the same functions of admin. operation.go says
// what an operation is, guard.go who may call it; each other file is one area.
// Nothing is decided here that admin does not know of.
package api
