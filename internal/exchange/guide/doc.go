// Package guide writes the set-up of a tenant as steps for a person in Exchange's
// admin centres, with this tenant's values, in the order of the two reference
// guides: G1.1 to G1.58, then G2.1 to G2.12 and the clutter rule G2.c1 to G2.c13.
// Steps that the guides do not have, because Postern asks for more, stand where
// they belong and are called P.
//
// A guide is data; Text and Markdown render it. Secrets are shown only where the
// caller says so.
package guide
