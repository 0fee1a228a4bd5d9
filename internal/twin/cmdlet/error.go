package cmdlet

import "fmt"

// An Error is a cmdlet's refusal, with all that the admin API says of it.
type Error struct {
	Status  int    // HTTP status: 400, 403, 404, 500 ...
	Code    string // "BadRequest", "NotFound", "InternalServerError"
	Type    string // .NET type of the exception
	Message string // for people
	NUL     bool   // the API answers with a run of NUL bytes instead of JSON (no role for this cmdlet)
}

func (e *Error) Error() string { return e.Message }

// Prefix is the error's short hash, as "Ex6F9304" for objects that are not there.
// Only that one is known from captures; others are made up in the same form.
func (e *Error) Prefix() string {
	if e.Type == NotFoundType {
		return "Ex6F9304"
	}
	h := uint32(2166136261)
	for i := range len(e.Type) {
		h = (h ^ uint32(e.Type[i])) * 16777619
	}
	return fmt.Sprintf("Ex%06X", h&0xffffff)
}

// The .NET types of the errors that captures of live tenants show.
const (
	NotFoundType  string = "Microsoft.Exchange.Configuration.Tasks.ManagementObjectNotFoundException"
	ExistsType    string = "Microsoft.Exchange.Data.Directory.ADObjectAlreadyExistsException"
	AmbiguousType string = "Microsoft.Exchange.AdminApi.CommandInvocation.AmbiguousParameterSetException"
	TransformType string = "System.Management.Automation.ParameterTransformationException"
	MissingType   string = "System.Management.Automation.ParameterBindingException"
	UnknownType   string = "System.Management.Automation.CommandNotFoundException"
	ArgumentType  string = "System.ArgumentException"
	TaskType      string = "Microsoft.Exchange.Configuration.Tasks.TaskException"
)

// Refuse makes a 400 of the given .NET type.
func Refuse(typ, format string, args ...any) *Error {
	return &Error{Status: 400, Code: "BadRequest", Type: typ, Message: fmt.Sprintf(format, args...)}
}

// NotFound says that no object has this identity; server is the domain controller asked.
func NotFound(identity, server string) *Error {
	return &Error{Status: 404, Code: "NotFound", Type: NotFoundType,
		Message: fmt.Sprintf("The operation couldn't be performed because object '%s' couldn't be found on '%s'.", identity, server)}
}

// Unknown says that there is no such cmdlet for this caller: misspelt, not in the
// roles, or not in the licence.
func Unknown(name string) *Error {
	return &Error{Status: 403, Code: "Forbidden", Type: UnknownType, NUL: true,
		Message: fmt.Sprintf("The term '%s' is not recognized as the name of a cmdlet, function, script file, or operable program. Check the spelling of the name, or if a path was included, verify that the path is correct and try again.", name)}
}
