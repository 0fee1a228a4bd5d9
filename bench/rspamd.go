package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

func haveRspamd() error {
	if err := havePostfix(); err != nil {
		return err
	}
	return need("rspamd", "rspamc", "redis-server")
}

// startPostfixRspamd runs Postfix with rspamd as its milter, and redis, where
// rspamd keeps its trained filter.
func startPostfixRspamd(w *world, dir string) (*running, error) {
	ports := make([]string, 4)
	for i := range ports {
		var err error
		if ports[i], err = freePort(); err != nil {
			return nil, err
		}
	}
	redis, normal, milter, control := ports[0], ports[1], ports[2], ports[3]
	redisPID, err := spawn(dir, "redis-server", "--port", redis, "--bind", "127.0.0.1", "--dir", dir, "--appendonly", "no", "--save", "", "--daemonize", "no")
	if err != nil {
		return nil, err
	}
	if err := reach("127.0.0.1:"+redis, dir); err != nil {
		return nil, err
	}
	for name, text := range map[string]string{
		"options.inc":           fmt.Sprintf("dns { nameserver = [%q]; timeout = 1s; retransmits = 2; }\nlocal_addrs = [];\nmax_message = 104857600;\n", w.dns),
		"worker-normal.inc":     fmt.Sprintf("bind_socket = \"127.0.0.1:%s\";\ncount = 2;\n", normal),
		"worker-proxy.inc":      fmt.Sprintf("bind_socket = \"127.0.0.1:%s\";\ncount = 2;\nmilter = yes;\ntimeout = 120s;\nupstream \"local\" { default = yes; self_scan = yes; }\n", milter),
		"worker-controller.inc": fmt.Sprintf("bind_socket = \"127.0.0.1:%s\";\nsecure_ip = [\"127.0.0.1\"];\n", control),
		"redis.conf":            fmt.Sprintf("servers = \"127.0.0.1:%s\";\n", redis),
		"classifier-bayes.conf": "backend = \"redis\";\nmin_learns = 200;\nautolearn = false;\n",
		"actions.conf":          "reject = 100000; add_header = 6; greylist = null; rewrite_subject = null;\n",
		"greylist.conf":         "enabled = false;\n",
		"ratelimit.conf":        "enabled = false;\n",
		"dkim_signing.conf":     "enabled = false;\n",
		"antivirus.conf":        "enabled = false;\n",
		"dkim.conf":             "check_local = true;\ncheck_authed = true;\n",
		"arc.conf":              "check_local = true;\ncheck_authed = true;\n",
		"spf.conf":              "check_local = true;\ncheck_authed = true;\n",
		"logging.inc":           "level = \"warning\";\n",
	} {
		if err := put(filepath.Join(dir, "rspamd", "local.d", name), text); err != nil {
			return nil, err
		}
	}
	base := filepath.Join(dir, "rspamd")
	compiled := filepath.Join(filepath.Dir(w.dir), "postern-bench-rspamd") // expressions; stays, because compiling takes it half a minute
	for _, path := range []string{filepath.Join(base, "override.d"), filepath.Join(base, "log"), filepath.Join(base, "run"), compiled} {
		if err := os.MkdirAll(path, 0o755); err != nil {
			return nil, err
		}
		if err := give(path, "_rspamd"); err != nil {
			return nil, err
		}
	}
	rspamdPID, err := spawn(dir, "rspamd", "-f", "-u", "_rspamd", "-g", "_rspamd", "--var=LOCAL_CONFDIR="+base,
		"--var=RUNDIR="+base+"/run", "--var=DBDIR="+compiled, "--var=LOGDIR="+base+"/log")
	if err != nil {
		return nil, err
	}
	scanner := tree{redisPID, rspamdPID}
	for _, port := range []string{milter, control} {
		if err := reach("127.0.0.1:"+port, dir); err != nil {
			scanner.end()
			return nil, err
		}
	}
	if err := train(w, dir, control); err != nil {
		scanner.end()
		return nil, err
	}
	r, err := postfix(w, dir, fmt.Sprintf("smtpd_milters = inet:127.0.0.1:%s\nmilter_default_action = tempfail\nmilter_protocol = 6\nmilter_content_timeout = 120s\n", milter))
	if err != nil {
		scanner.end()
		return nil, err
	}
	r.roots = append(r.roots, scanner...)
	return r, nil
}

// train teaches rspamd's filter mail that is not sent in the measurement.
func train(w *world, dir, control string) error {
	if w.quick {
		return nil
	}
	for verb, mail := range map[string][][]byte{"learn_ham": w.mail.ham, "learn_spam": w.mail.spam} {
		folder := filepath.Join(dir, verb)
		for i, m := range mail {
			if err := put(filepath.Join(folder, fmt.Sprintf("%04d.eml", i)), string(m)); err != nil {
				return err
			}
		}
		if len(mail) > 0 { // its exit code tells of messages it knew already
			_ = exec.Command("rspamc", "-h", "127.0.0.1:"+control, "-n", "4", verb, folder).Run()
		}
	}
	return nil
}

func put(path, text string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text), 0o644)
}
