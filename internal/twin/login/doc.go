// Package login is the twin's part of Microsoft's identity platform: discovery, the
// consent and sign-in pages, device codes, and the token endpoint with its five
// grants, for applications and users that a test puts into a directory. It answers
// errors with the AADSTS codes people meet, and its tokens are signed JWTs that the
// Microsoft Authentication Library takes.
package login
