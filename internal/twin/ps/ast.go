package ps

// A node is a piece of a script's tree. pos is the line it began in.
type (
	literal struct{ value any }
	// expand is a double-quoted string: literal texts and nodes to put between.
	expand   struct{ parts []any } // string or node
	variable struct {
		scope, name string
		line        int
	}
	arrayLit  struct{ items []node }     // a, b
	arrayExpr struct{ body []statement } // @( )
	subExpr   struct{ body []statement } // $( )
	paren     struct{ inner node }       // ( )
	hashLit   struct {
		keys, values []node
		line         int
	}
	block struct { // { } and function bodies
		params []parameter
		body   []statement
	}
	binary struct {
		op          string
		left, right node
		line        int
	}
	unary struct {
		op    string
		inner node
		line  int
	}
	cast struct {
		typ   string
		inner node
		line  int
	}
	member struct {
		object node
		name   node
		static bool
		line   int
	}
	method struct {
		object node
		name   string
		args   []node
		static bool
		line   int
	}
	index struct {
		object, at node
		line       int
	}
	typeName struct{ name string }

	// command calls something by name, or a script block with &.
	command struct {
		name node
		args []argument
		line int
	}
	// pipeline is stages with | between them; one stage that is no command is a
	// plain expression.
	pipeline struct{ stages []node }

	assign struct {
		target node
		op     string
		value  statement
		line   int
	}
	ifStmt struct {
		conds []node
		thens [][]statement
		other []statement
	}
	foreachStmt struct {
		name string
		over node
		body []statement
	}
	whileStmt struct {
		cond node
		body []statement
	}
	tryStmt struct {
		body, catch, finally []statement
		caught               bool // there is a catch
	}
	switchStmt struct {
		over  node
		cases []node // nil for default
		bodys [][]statement
	}
	function struct {
		name string
		body block
	}
	flow struct { // return, throw, break, continue, exit
		kind  string
		value statement
		line  int
	}
)

// An argument of a command: a value, a parameter with or without one, or a splat.
type argument struct {
	name  string // of a parameter, without the dash; "" for a bare value
	value node   // nil for a switch
	splat bool
}

// A parameter of a script or a function.
type parameter struct {
	name      string
	typ       string
	mandatory bool
	value     node // default; nil for none
}

type (
	node      any
	statement any
)
