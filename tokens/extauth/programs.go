package extauth

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Programs returns the extauth_program of each host of an ejabberd.yml that asks
// one, as it stands there, each once. It knows what [Check] knows. An error means
// that this is no YAML.
func Programs(text []byte) ([]string, error) {
	var file ejabberdFile
	if err := yaml.Unmarshal(text, &file); err != nil {
		return nil, fmt.Errorf("extauth: the configuration is not YAML that ejabberd reads: %w", err)
	}
	var programs []string
	for _, host := range file.Hosts {
		host = file.word(host)
		program, _ := file.value(file.option(host, "extauth_program")).(string)
		if program = strings.TrimSpace(program); program == "" || slices.Contains(programs, program) {
			continue
		}
		if slices.Contains(file.list(file.option(host, "auth_method")), "external") {
			programs = append(programs, program)
		}
	}
	return programs, nil
}
