// Package portal is what people see of Postern: pages rendered on the server, one
// file, one struct and one template each. Every change goes through admin; the
// pages hold no rule of their own. What a route needs of its visitor stands in one
// table (routes.go), and nothing is reachable that is not in it.
package portal
