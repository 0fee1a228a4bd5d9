// Package preview makes of a message's HTML what a person can look at without
// danger: a few plain elements that say nothing but what is text and how it is
// arranged. It copies what it knows into a new tree, so what it does not know
// cannot survive; an independent allow list looks at the outcome once more. It is
// meant to run in a process without network, files and keys.
package preview
