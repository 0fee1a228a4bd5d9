// Package dns asks the domain name system on behalf of every stage. Resolver is
// a caching stub resolver with the signatures of net.Resolver, so libraries that
// take one of those take it too. Zone is an authoritative server for tests and
// the demonstration: real packets on loopback, and it can be told to fail.
//
// Nothing else of ours sends a DNS query.
package dns
