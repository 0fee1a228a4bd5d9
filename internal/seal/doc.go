// Package seal keeps secrets at rest: mail content, stored credentials, and the
// keys that other parts derive from one root.
//
// The hierarchy, from the top:
//
//	root key      32 octets in a file of mode 0400, made on first start
//	 ├─ Derive    keys for other uses (hop mark, digest links, audit chain), HKDF by label
//	 └─ TenantKey random, one for each tenant, stored only wrapped by the root
//	     └─ message key   HKDF of the tenant key and the message id, never stored
//	         └─ blob or stream, AES-256-GCM, bound to message id, part and format
//
// Whoever erases a wrapped tenant key makes all of that tenant's content
// unreadable, in backups too. A changed, cut, swapped or reordered octet is an
// error; content is handed out only after it was verified.
//
// What may not enter: knowledge of where sealed octets are kept, and any format
// without authentication.
package seal
