package cmdlet

import (
	"encoding/json"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// convert makes of a JSON or PowerShell value what the parameter's type holds.
func convert(cmdlet string, p Parameter, v any) (any, error) {
	if v == nil {
		return null(cmdlet, p)
	}
	base := strings.TrimPrefix(p.Type, "System.")
	switch {
	case base == "Boolean", base == "SwitchParameter":
		return toBool(p, v)
	case base == "Int32", base == "UInt32", base == "Int16":
		return toInt(p, v)
	case strings.HasSuffix(p.Type, "[]") || base == "MultiValuedProperty" || base == "ProxyAddressCollection":
		return toList(p, v)
	}
	s, err := toString(p, v)
	if err != nil {
		return nil, err
	}
	return checkText(p, base, s)
}

// null removes a value; only a plain Boolean or number has none to remove, save in
// mail flow rules, whose conditions and actions are all removed this way.
func null(cmdlet string, p Parameter) (any, error) {
	base := strings.TrimPrefix(p.Type, "System.")
	plain := base == "Boolean" || base == "SwitchParameter" || base == "Int32"
	if plain && !slices.Contains(p.Values, "$null") && !strings.HasSuffix(cmdlet, "-TransportRule") {
		return nil, badValue(p, "", "Error: \"Null is not a valid value for this parameter.\"")
	}
	return nil, nil
}

func toBool(p Parameter, v any) (any, error) {
	switch b := v.(type) {
	case bool:
		return b, nil
	case float64:
		return b != 0, nil
	case int:
		return b != 0, nil
	}
	return nil, badValue(p, v, "Boolean parameters accept only Boolean values and numbers, such as $True, $False, 1 or 0.")
}

func toInt(p Parameter, v any) (any, error) {
	s, err := toString(p, v)
	if err != nil {
		return nil, err
	}
	n, nerr := strconv.Atoi(strings.TrimSpace(s))
	if nerr != nil || n > math.MaxInt32 || n < math.MinInt32 {
		return nil, badValue(p, v, "Error: \"Input string was not in a correct format.\"")
	}
	return n, nil
}

// toList takes a plain array, a single value, or a table with Add and Remove.
func toList(p Parameter, v any) (any, error) {
	if m, ok := v.(map[string]any); ok {
		return toDelta(p, m)
	}
	list, err := texts(p, v)
	if err != nil {
		return nil, err
	}
	for i, s := range list {
		if list[i], err = enumerated(p, s); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func toDelta(p Parameter, m map[string]any) (any, error) {
	var d Delta
	for _, key := range sortedKeys(m) {
		var err error
		switch strings.ToLower(key) {
		case "@odata.type":
			if m[key] != "#Exchange.GenericHashTable" {
				err = badValue(p, m[key], "Error: \"The type of a multi-valued change is #Exchange.GenericHashTable.\"")
			}
		case "add":
			d.Add, err = texts(p, m[key])
		case "remove":
			d.Remove, err = texts(p, m[key])
		default:
			err = badValue(p, key, "Error: \"A multi-valued change has only the keys Add and Remove.\"")
		}
		if err != nil {
			return nil, err
		}
	}
	return d, nil
}

func texts(p Parameter, v any) ([]string, error) {
	list := []string{}
	switch l := v.(type) {
	case nil:
	case []string:
		list = append(list, l...)
	case []any:
		for _, e := range l {
			s, err := toString(p, e)
			if err != nil {
				return nil, err
			}
			list = append(list, s)
		}
	default:
		s, err := toString(p, v)
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, nil
}

func toString(p Parameter, v any) (string, error) {
	switch s := v.(type) {
	case string:
		return s, nil
	case float64:
		return strconv.FormatFloat(s, 'f', -1, 64), nil
	case int:
		return strconv.Itoa(s), nil
	case json.Number:
		return s.String(), nil
	case bool:
		if s {
			return "True", nil
		}
		return "False", nil
	case time.Time:
		return s.UTC().Format(time.RFC3339Nano), nil
	}
	return "", badValue(p, v, "Error: \"Cannot convert the value to a string.\"")
}

// enumerated spells s as the enumeration does.
func enumerated(p Parameter, s string) (string, error) {
	if len(p.Values) == 0 || p.Values[0] == "$null" {
		return s, nil
	}
	for _, v := range p.Values {
		if strings.EqualFold(v, s) {
			return v, nil
		}
	}
	return "", badEnum(p, s)
}

var (
	guidForm   = regexp.MustCompile(`^\{?[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\}?$`)
	headerForm = regexp.MustCompile(`^[!-9;-~]+$`) // RFC 5322 §2.2: printable ASCII without the colon
)

// checkText holds a scalar text to the rules of its type.
func checkText(p Parameter, base, s string) (any, error) {
	switch base {
	case "Guid":
		if !guidForm.MatchString(s) {
			return nil, badValue(p, s, "Error: \"Guid should contain 32 digits with 4 dashes (xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx).\"")
		}
	case "HeaderName":
		if !headerForm.MatchString(s) || len(s) > 64 {
			return nil, badValue(p, s, "Error: \"The header name isn't valid.\"")
		}
	case "SclValue":
		n, err := strconv.Atoi(s)
		if err != nil || n < -1 || n > 9 {
			return nil, badValue(p, s, "Error: \"The SCL value has to be between -1 and 9.\"")
		}
	case "DateTime", "ExDateTime":
		if !isDate(s) {
			return nil, badValue(p, s, "Error: \"String was not recognized as a valid DateTime.\"")
		}
	default:
		return enumerated(p, s)
	}
	return s, nil
}

func isDate(s string) bool {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02T15:04:05.9999999", "2006-01-02 15:04:05", "1/2/2006 15:04:05", "1/2/2006 3:04:05 PM", "2006-01-02", "1/2/2006", time.RFC1123} {
		if _, err := time.Parse(layout, s); err == nil {
			return true
		}
	}
	return false
}
