// Package judge learns all there is to learn of a message: it parses,
// authenticates and scans it and asks the outside engines. It does not decide;
// policy does, recipient by recipient.
//
// A message is hostile until judged, and parsers have bugs. Pool therefore
// judges in child processes of the same binary that have no network, no keys and
// no files: they get octets by pipe and give back a mail.Judgement. What they
// need to know of the world (DNS) they ask the parent over the same pipe. A
// child that dies or takes too long costs one message one retry, nothing more.
//
// InProcess does the same without a child, for files an administrator names on
// the command line.
//
// The protocol between parent and child is frames: one octet kind, four octets
// length (big endian), then the payload, JSON but for the message itself.
//
//	parent                       child
//	setup  {memory, confine} ─▶
//	                          ◀─ hello  {warnings}
//	tenant {n, about}        ─▶                          once for each tenant
//	job    {envelope, ...}   ─▶
//	octets                   ─▶
//	                          ◀─ ask    {n, kind, name}     any number up to maxQuestions
//	answer {n, values, ...}  ─▶
//	                          ◀─ result {judgement}
//	job ...
//
// The parent trusts no frame of a child: kinds, lengths, counts and the
// judgement's texts are bounded.
package judge
