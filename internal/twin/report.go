package twin

import (
	"fmt"
	"strings"
)

// sfs stands in for the long list of rule numbers in real reports.
const sfs string = "(13230040)(376014)(36860700013)"

// score is the spam confidence level.
func (m *transit) score(v Verdict) string {
	if m.scl != "" {
		return m.scl
	}
	switch v {
	case Malware, HighPhish, HighSpam:
		return "9"
	case Phish:
		return "8"
	case Bulk:
		return "6"
	case Spam, spoofed:
		return "5"
	}
	return "1"
}

// category is CAT of the antispam report.
func category(v Verdict) string {
	switch v {
	case Malware:
		return "MALW"
	case HighPhish:
		return "HPHSH"
	case Phish:
		return "PHSH"
	case HighSpam:
		return "HSPM"
	case Spam:
		return "SPM"
	case Bulk:
		return "BULK"
	case spoofed:
		return "SPOOF"
	}
	return "NONE"
}

// filtered is SFV: what filtering did.
func (m *transit) filtered(v Verdict) string {
	switch {
	case v == Malware || v == HighPhish:
		return "SPM"
	case m.scl == "-1" && m.skipped != "":
		return m.skipped
	case v == Clean:
		return "NSPM"
	}
	return "SPM"
}

// report is the block that every pass appends: attribution and the antispam report.
func (m *transit) report(f fate) []string {
	v := f.verdict
	if v == Clean && m.scl != "-1" {
		v = m.verdict
	}
	cip, dir, ptr, helo, check := m.env.Peer.String(), "INB", m.t.twin.ptr(m.env.Peer), m.env.HELO, "0"
	if m.internal {
		cip, dir, ptr, helo, check = "255.255.255.255", "INT", "", "DU4PR08MB11151.eurprd08.prod.outlook.com", "1"
	}
	ipv, country := "NLI", "US"
	if m.allowed {
		ipv = "CAL"
	}
	if m.internal {
		country = ""
	}
	r := []string{
		fmt.Sprintf("X-EOPAttributedMessage: %d", m.hops),
		fmt.Sprintf("X-EOPTenantAttributedMessage: %s:0", m.t.ID),
		"X-MS-PublicTrafficType: Email",
		fmt.Sprintf("X-MS-TrafficTypeDiagnostic: %s:EE_|%s:EE_", front, strings.SplitN(backServer, ".", 2)[0]),
		"X-MS-Office365-Filtering-Correlation-Id: " + m.id,
	}
	if m.prior != "" {
		r = append(r, "X-MS-Office365-Filtering-Correlation-Id-Prvs: "+m.prior)
	}
	return append(r,
		"X-MS-Exchange-AtpMessageProperties: SA|SL",
		"X-MS-Exchange-SenderADCheck: "+check,
		"X-MS-Exchange-AntiSpam-Relay: 0",
		fmt.Sprintf("X-Forefront-Antispam-Report: CIP:%s;CTRY:%s;LANG:en;SCL:%s;SRV:;IPV:%s;SFV:%s;H:%s;PTR:%s;CAT:%s;SFS:%s;DIR:%s;", cip, country, m.score(v), ipv, m.filtered(v), helo, ptr, category(v), sfs, dir),
		fmt.Sprintf("X-Microsoft-Antispam: BCL:%d;ARA:13230040|376014|36860700013;", map[bool]int{true: 7, false: 0}[v == Bulk]),
		"X-Microsoft-Antispam-Message-Info: =?us-ascii?Q?e6pWES+ETMUwa/IbuctoOAhE0DQihtOcUP1bX1hJ+jk1k6Of?=")
}

// crossTenant is the block that closes the header.
func (m *transit) crossTenant() []string {
	as, entity, source := "Anonymous", "Internet", frontServer
	if m.internal {
		as, entity, source = "Internal", "Hosted", "DU4PR08MB11151.eurprd08.prod.outlook.com"
	}
	if m.connector != nil && m.connector.Bool("TreatMessagesAsInternal") {
		as, source = "Internal", "TreatMessagesAsInternal-"+frontServer
	}
	return []string{
		"X-OriginatorOrg: " + m.originator(),
		"X-MS-Exchange-CrossTenant-OriginalArrivalTime: " + m.start.UTC().Format("02 Jan 2006 15:04:05.0000") + " (UTC)",
		"X-MS-Exchange-CrossTenant-Network-Message-Id: " + m.id,
		"X-MS-Exchange-CrossTenant-Id: " + m.t.ID,
		"X-MS-Exchange-CrossTenant-AuthSource: " + source,
		"X-MS-Exchange-CrossTenant-AuthAs: " + as,
		"X-MS-Exchange-CrossTenant-FromEntityHeader: " + entity,
		"X-MS-Exchange-Transport-CrossTenantHeadersStamped: " + strings.SplitN(backServer, ".", 2)[0],
	}
}

// originator is the tenant's domain that the message concerns.
func (m *transit) originator() string {
	if d := domainOf(m.env.To[0]); d != "" {
		if _, own := m.t.accepted(d); own {
			return d
		}
	}
	return m.t.Organization
}

// organization is what only mailboxes of the organization show.
func (m *transit) organization(f fate) []string {
	started := m.start.UTC().Format("02 Jan 2006 15:04:05.0000") + " (UTC)"
	as, source, way := "Anonymous", frontServer, "Incoming"
	if m.internal {
		as, source, way = "Internal", "DU4PR08MB11151.eurprd08.prod.outlook.com", "Originating"
	}
	r := []string{
		fmt.Sprintf("X-IncomingHeaderCount: %d", len(m.head)),
		"X-MS-Exchange-Organization-ExpirationStartTime: " + started,
		"X-MS-Exchange-Organization-ExpirationStartTimeReason: OriginalSubmit",
		"X-MS-Exchange-Organization-ExpirationInterval: 1:00:00:00.0000000",
		"X-MS-Exchange-Organization-ExpirationIntervalReason: OriginalSubmit",
		"X-MS-Exchange-Organization-Network-Message-Id: " + m.id,
		"X-MS-Exchange-Organization-MessageDirectionality: " + way,
	}
	if m.stripped {
		r = append(r, "X-MS-Exchange-Transport-CrossTenantHeadersStripped: "+frontServer, "X-MS-Exchange-Transport-CrossTenantHeadersPromoted: "+frontServer)
	}
	r = append(r, "X-MS-Exchange-Organization-AuthSource: "+source, "X-MS-Exchange-Organization-AuthAs: "+as, "X-MS-Exchange-Organization-SCL: "+m.score(f.verdict))
	if !m.internal {
		r = append(r, "X-Sender-IP: "+m.env.Peer.String())
	}
	return r
}
