// Package policy turns findings and a tenant's rules into a verdict, an action
// and the reasons, for one recipient. It is pure arithmetic without clock or
// I/O, so every decision can be replayed from what the ledger keeps.
//
// Points. Each finding argues with its score for one class. A class is reached
// when the points that argue for it come to its threshold:
//
//   - malware and unjudged: the findings of that class with a positive score.
//     Nothing makes them smaller.
//   - suspicious: the findings of that class, likewise only the positive ones:
//     what could not be looked at is not made clear by a good reputation.
//   - phish: its findings of either sign, and, if one of them is positive, the
//     findings without a class.
//   - spam: its findings of either sign, the findings without a class, and the
//     positive points for phish, because half a proof of fraud and half a proof
//     of spam are together unwanted mail.
//   - bulk: its findings of either sign.
//
// Of several classes that are reached the worst counts: malware, phish,
// suspicious, spam, unjudged, bulk. Where the worst would be delivered but
// unjudged is reached and would not, unjudged counts: what could not be judged
// never passes because it is also spam that the tenant wants to have.
package policy
