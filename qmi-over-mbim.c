/* SPDX-License-Identifier: ISC
 *
 * QMI inside MBIM: QMUX frames as the information buffer of a vendor command,
 * clients that are allocated when first used and released before the session
 * ends, and TLVs. It knows no QMI service but the control service, CTL.
 *
 * QMUX and CTL as libqmi describes them. The frame's length is exact: modems
 * refuse one that is padded as MBIM pads everything else.
 */
#include "mbim.h"

/* ---- QMUX and TLVs ---- */

enum {
	ALLOCATE_CID = 0x0022, RELEASE_CID = 0x0023,	/* of CTL */
	QMUX_HEADER = 6, CTL_HEADER = 6, SERVICE_HEADER = 7
};

int qmux_parse(const uint8_t *frame, size_t len, struct qmux *q)
{
	struct reader r = { frame, len, 0, 0 };
	uint8_t flags;
	size_t size, end;

	if (take_number(&r, 1) != 1)
		return 0;
	end = take_number(&r, 2) + 1;
	q->from_modem = take_number(&r, 1) == 0x80;
	q->service = (uint8_t)take_number(&r, 1);
	q->client = (uint8_t)take_number(&r, 1);
	flags = (uint8_t)take_number(&r, 1);
	q->response = flags == (q->service == qmi_CTL ? 1 : 2);
	q->indication = flags == (q->service == qmi_CTL ? 2 : 4);
	q->id = (uint16_t)take_number(&r, q->service == qmi_CTL ? 1 : 2);
	q->message = (uint16_t)take_number(&r, 2);
	size = take_number(&r, 2);
	q->tlvs = window(&r, r.at, size);
	q->surplus = len - end;
	return !r.bad && end <= len && r.at + size == end;
}

int qmi_next_tlv(struct reader *tlvs, uint8_t *type, struct reader *value)
{
	size_t len;

	if (tlvs->bad || tlvs->at == tlvs->len)
		return 0;
	*type = (uint8_t)take_number(tlvs, 1);
	len = take_number(tlvs, 2);
	*value = window(tlvs, tlvs->at, len);
	take(tlvs, len);
	return !tlvs->bad;
}

int qmi_tlv(struct reader tlvs, uint8_t type, struct reader *value)
{
	uint8_t t;

	while (qmi_next_tlv(&tlvs, &t, value))
		if (t == type)
			return 1;
	return 0;
}

int qmi_result(struct reader tlvs)
{
	struct reader v;
	uint64_t status, error;

	if (!qmi_tlv(tlvs, 0x02, &v))
		return -1;
	status = take_number(&v, 2);
	error = take_number(&v, 2);
	if (v.bad)
		return -1;
	if (status && !error)
		error = qmi_error_UnknownError;
	return status ? (int)error : 0;
}

/* ---- clients ---- */

static struct client {
	uint8_t service, id, kept;
} clients[MBIM_KEPT_MAX];
static size_t n_clients;
static uint16_t next_id;

/* One message to a client and its reply; CTL's client is 0. */
static int transact(struct mbim *m, uint8_t service, uint8_t client,
	uint16_t message, const uint8_t *tlvs, size_t len, struct qmux *q)
{
	static uint8_t frame[QMUX_HEADER + SERVICE_HEADER + 65535];
	size_t head = service == qmi_CTL ? CTL_HEADER : SERVICE_HEADER;
	size_t id_size = service == qmi_CTL ? 1 : 2;
	uint8_t *p = frame + QMUX_HEADER;
	struct mbim_answer answer;
	int code;

	next_id = service == qmi_CTL && next_id >= 255 ? 1 :
		(uint16_t)(next_id + 1);
	frame[0] = 1;
	put_number(frame + 1, QMUX_HEADER + head + len - 1, 2);
	frame[3] = 0;
	frame[4] = service;
	frame[5] = client;
	p[0] = 0;
	put_number(p + 1, next_id, id_size);
	put_number(p + 1 + id_size, message, 2);
	put_number(p + 3 + id_size, len, 2);
	if (len)
		memcpy(p + head, tlvs, len);
	code = mbim_command(m, m->qmi, 1, MBIM_SET, frame,
		QMUX_HEADER + head + len, &answer);
	if (code)
		return code;
	if (answer.status)
		return fail_refused(DOMAIN_MBIM, answer.status, 0, "");
	if (!qmux_parse(answer.info.base, answer.info.len, q) ||
	    !q->from_modem || !q->response || q->service != service ||
	    q->client != client || q->message != message || q->id != next_id)
		return fail(MALFORMED, "malformed QMI reply");
	return DONE;
}

/*
 * The modem may have allocated a client although a signal came: then
 * its answer is waited for all the same, so that the client can be released.
 */
static int allocate(struct mbim *m, uint8_t service, struct client **client)
{
	uint8_t tlv[4] = { 0x01, 1, 0, service };
	struct reader v;
	struct qmux q;
	int code, error;

	if (n_clients == MBIM_KEPT_MAX)
		return fail(REFUSED, "too many QMI clients in one run");
	m->critical = 1;
	code = transact(m, qmi_CTL, 0, ALLOCATE_CID, tlv, sizeof(tlv), &q);
	m->critical = 0;
	if (code)
		return code;
	error = qmi_result(q.tlvs);
	if (error > 0)
		return fail_refused(DOMAIN_QMI, (uint32_t)error, 0, "");
	if (error < 0 || !qmi_tlv(q.tlvs, 0x01, &v) ||
	    take_number(&v, 1) != service || v.len < 2)
		return fail(MALFORMED, "malformed QMI client");
	*client = &clients[n_clients++];
	**client = (struct client){ service, (uint8_t)take_number(&v, 1), 0 };
	return failure.exit;
}

static int release(struct mbim *m, const struct client *c)
{
	uint8_t tlv[5] = { 0x01, 2, 0, c->service, c->id };
	struct qmux q;

	return transact(m, qmi_CTL, 0, RELEASE_CID, tlv, sizeof(tlv), &q) ||
		qmi_result(q.tlvs);
}

static int find_client(struct mbim *m, uint8_t service, enum qmi_use use,
	struct client **c)
{
	for (size_t i = m->marker.n_kept; use == QMI_DROP && i--; )
		if (m->marker.kept[i].service == service &&
		    n_clients < MBIM_KEPT_MAX) {
			*c = &clients[n_clients++];
			**c = (struct client){ service,
				m->marker.kept[i].client, 1 };
			return DONE;
		}
	for (size_t i = n_clients; i--; )
		if (clients[i].service == service &&
		    !(use == QMI_KEEP && clients[i].kept)) {
			*c = &clients[i];
			return DONE;
		}
	return allocate(m, service, c);
}

static struct client *last;		/* of the last command */

int qmi_command(struct mbim *m, uint8_t service, uint16_t message,
	enum qmi_use use, const uint8_t *tlvs, size_t len,
	int *error, struct reader *reply)
{
	struct client *c = NULL;
	struct qmux q;
	int code = DONE;

	if (service != qmi_CTL)
		code = find_client(m, service, use, &c);
	last = c;
	if (!code)
		code = transact(m, service, c ? c->id : 0, message, tlvs, len,
			&q);
	if (code)
		return code;
	*reply = q.tlvs;
	*error = qmi_result(q.tlvs);
	return *error < 0 ? fail(MALFORMED, "QMI reply without a result") :
		DONE;
}

void qmi_keep(struct mbim *m, uint32_t handle)
{
	if (m->marker.n_kept == MBIM_KEPT_MAX) {
		warn("too many QMI clients are kept: this one is released");
		return;
	}
	last->kept = 1;
	m->marker.kept[m->marker.n_kept++] = (struct mbim_kept){
		handle, last->service, last->id, { 0 } };
	marker_write(m);
}

void qmi_drop(struct mbim *m)
{
	last->kept = 0;
	for (size_t i = 0; i < m->marker.n_kept; i++)
		if (m->marker.kept[i].service == last->service &&
		    m->marker.kept[i].client == last->id)
			m->marker.kept[i] = m->marker.kept[--m->marker.n_kept];
}

int qmi_kept_handle(struct mbim *m, uint8_t service, uint32_t *handle)
{
	uint32_t i = m->marker.n_kept;

	while (i && m->marker.kept[i - 1].service != service)
		i--;
	if (i)
		*handle = m->marker.kept[i - 1].handle;
	return i != 0;
}

int qmi_with_clients(struct mbim *m, int (*next)(struct mbim *m))
{
	int code = next(m), failed = 0;

	mbim_clean_up(m);
	for (size_t i = 0; i < n_clients; i++)
		if (!clients[i].kept && !m->gone)
			failed |= release(m, &clients[i]);
	if (failed && !code)
		warn("a QMI client could not be released");
	return code;
}
