// Package adminapi calls cmdlets of Exchange Online through its admin REST API:
// POST {cloud}/adminapi/beta/{tenant}/InvokeCommand. It knows the wire (headers,
// paging, redirects, errors) and an allow-list of cmdlets; what a cmdlet is for,
// and in which order they run, is the business of package exchange.
//
// A call that only reads is tried again by itself. One that changes something is
// tried again only when Exchange said that it did not start it (429); every other
// doubt is handed to the caller, who must read before writing once more.
package adminapi
