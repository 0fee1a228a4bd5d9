// Package cmdlet knows the parameters of Exchange Online's cmdlets, as Microsoft
// documents them, and binds a caller's values to them the way the service does:
// unknown names, missing ones, wrong types and values outside an enumeration are
// refused with the service's own kind of error. It knows nothing of what a cmdlet
// does.
package cmdlet
