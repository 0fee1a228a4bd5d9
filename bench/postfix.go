package main

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
)

// mainCF is tuned for the load: Postfix's own defaults slow one client down.
const mainCF = `compatibility_level = 3.6
queue_directory = %[1]s/queue
data_directory = %[1]s/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
maillog_file = %[1]s/maillog
maillog_file_prefixes = %[1]s
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = relay.test
mydestination =
local_recipient_maps =
relay_domains = rcpt.test
relay_recipient_maps =
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
smtpd_recipient_restrictions =
relayhost = [127.0.0.1]:%[2]d
smtp_dns_support_level = disabled
disable_dns_lookups = yes
smtp_host_lookup = native
alias_maps =
alias_database =
smtpd_tls_security_level = may
smtpd_tls_cert_file = %[3]s
smtpd_tls_key_file = %[4]s
smtpd_tls_session_cache_database =
smtpd_tls_loglevel = 0
smtp_tls_security_level = none
message_size_limit = 104857600
mailbox_size_limit = 0
notify_classes =
default_process_limit = 150
in_flow_delay = 0
smtpd_client_connection_count_limit = 0
smtpd_error_sleep_time = 0
default_destination_concurrency_limit = 50
initial_destination_concurrency = 50
default_destination_rate_delay = 0
qmgr_message_active_limit = 20000
minimal_backoff_time = 5s
maximal_backoff_time = 10s
queue_run_delay = 5s
smtp_connection_cache_on_demand = yes
smtp_connection_cache_destinations = [127.0.0.1]:%[2]d
smtpd_peername_lookup = no
header_size_limit = 1024000
`

const masterCF = `127.0.0.1:%s inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
`

func havePostfix() error { return need("/usr/sbin/postfix") }

func startPostfix(w *world, dir string) (*running, error) { return postfix(w, dir, "") }

// postfix runs a private Postfix in dir, with more settings if there are any.
func postfix(w *world, dir, more string) (*running, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	for _, d := range []string{"conf", "queue", "data"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return nil, err
		}
	}
	if err := give(filepath.Join(dir, "data"), "postfix"); err != nil {
		return nil, err
	}
	conf := filepath.Join(dir, "conf")
	if err := os.WriteFile(filepath.Join(conf, "main.cf"), fmt.Appendf(nil, mainCF+more, dir, w.sink.port(), w.cert, w.key), 0o644); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(conf, "master.cf"), fmt.Appendf(nil, masterCF, port), 0o644); err != nil {
		return nil, err
	}
	if out, err := exec.Command("/usr/sbin/postfix", "-c", conf, "check").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("postfix check: %w: %s", err, out)
	}
	pid, err := spawn(dir, "/usr/sbin/postfix", "-c", conf, "start-fg")
	if err != nil {
		return nil, err
	}
	r := &running{addr: "127.0.0.1:" + port, roots: tree{pid}}
	return r, reach(r.addr, dir)
}

// give makes a folder a user's.
func give(dir, name string) error {
	u, err := user.Lookup(name)
	if err != nil {
		return err
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	return os.Chown(dir, uid, gid)
}
