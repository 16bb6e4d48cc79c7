package config

import (
	"fmt"
	"io"
	"reflect"
	"strings"
)

const exampleHead = `# Trunkline's configuration, as "trunkline config example" writes it.
#
# Every key is here. A key that stands after "# " shows its default, or an
# example where the default is empty; the others have to be filled in.
# Check the file with: trunkline config check --config FILE
`

// WriteExample writes the complete commented configuration file.
func WriteExample(w io.Writer) error {
	var b strings.Builder
	b.WriteString(exampleHead)
	root := reflect.TypeFor[Config]()
	for i := range root.NumField() {
		f := root.Field(i)
		section, head, lead := f.Type, "[%s]\n", ""
		switch {
		case isTables(f.Type):
			section, head, lead = f.Type.Elem(), "# [[%s]]\n", "# "
		case f.Type.Kind() != reflect.Struct:
			continue
		}
		b.WriteByte('\n')
		comment(&b, f.Tag.Get("doc"))
		fmt.Fprintf(&b, head, f.Tag.Get("toml"))
		for j := range section.NumField() {
			exampleKey(&b, section.Field(j), lead)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// exampleKey writes one key; lead stands before one that may be left out, and
// before each key of a section that may.
func exampleKey(b *strings.Builder, f reflect.StructField, lead string) {
	name := f.Tag.Get("toml")
	b.WriteByte('\n')
	comment(b, f.Tag.Get("doc"))
	if isSecret(f.Type) {
		if _, optional := f.Tag.Lookup("optional"); optional {
			lead = "# "
		}
		fmt.Fprintf(b, "%s%s_file = \"/etc/trunkline/%s\"\n", lead, name, name)
		return
	}
	def, optional := f.Tag.Lookup("default")
	value := def
	if example, ok := f.Tag.Lookup("example"); ok {
		value = example
	}
	if optional {
		lead = "# "
	}
	fmt.Fprintf(b, "%s%s = %s\n", lead, name, show(literal(value)))
}

// show writes a value as TOML.
func show(value any) string {
	switch v := value.(type) {
	case string:
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(v) + `"`
	case []any:
		items := make([]string, len(v))
		for i, item := range v {
			items[i] = show(item)
		}
		return "[" + strings.Join(items, ", ") + "]"
	}
	return fmt.Sprint(value)
}

// comment writes a text as comment lines of at most 78 characters.
func comment(b *strings.Builder, text string) {
	const width = 78
	for paragraph := range strings.SplitSeq(text, "\n") {
		line := "#"
		for word := range strings.FieldsSeq(paragraph) {
			if len([]rune(line))+1+len([]rune(word)) > width && line != "#" {
				b.WriteString(line + "\n")
				line = "#"
			}
			line += " " + word
		}
		b.WriteString(line + "\n")
	}
}
