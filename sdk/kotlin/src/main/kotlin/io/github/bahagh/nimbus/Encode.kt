package io.github.bahagh.nimbus

import java.time.Instant
import java.time.OffsetDateTime

// The server's limits on an event; testvectors/verdicts.json holds both sides to them.
private const val MAX_CHARS = 200
private const val MAX_TYPE = 64
private const val MAX_NAMES = 100
private const val MAX_PROPS = 32 shl 10
private const val MAX_DEPTH = 8
private val earliest: Instant = Instant.parse("1971-01-01T00:00:00Z")
private val tooLate: Instant = Instant.parse("+10000-01-01T00:00:00Z")

/** Begins an operation wherever it is kept: it tells it from an event, which begins with its name. */
internal const val OPERATION_HEAD: String = "{\"op\":"

/**
 * Ids that many people have: what programs write when there is none. The server has the same list, and
 * testvectors/junk.json holds both to it.
 */
private val junk = setOf(
    "", "null", "(null)", "<null>", "nil", "<nil>", "none", "undefined", "nan", "na", "n/a", "unknown", "not set", "(not set)",
    "anon", "anonymous", "guest", "user", "system", "backend", "not_authenticated", "unidentified",
    "id", "user_id", "userid", "anonymous_id", "distinct_id", "distinctid", "email",
    "0", "-1", "true", "false", "[]", "{}", "[object object]",
    "00000000-0000-0000-0000-000000000000", "00000000000000000000000000000000",
)

private const val JUNK_DETAIL = "is what programs send when they have no id, so it names nobody"

/** Whether an id is none. */
internal fun nobody(id: String?): Boolean = id == null || id.trim().lowercase() in junk

internal fun namesNobody(pointer: String): RejectedException = RejectedException(listOf(FieldError(pointer, "nobody", JUNK_DETAIL)))

/** Writes what is tracked as the server reads it, and names whatever the server would surely refuse. */
internal class Encoder {
    private val out = StringBuilder()
    private val bad = ArrayList<FieldError>()

    /**
     * Without its closing brace, before which a key comes when there is none. What only the server can judge is left
     * to it.
     */
    fun event(e: Event): String {
        checkText("/name", e.name, noControl = true)
        out.append("{\"name\":")
        Json.appendString(out, e.name)
        ts(e.ts)
        ids(e.userId, e.anonymousId, e.idempotencyKey)
        if (e.seq != 0L) {
            if (e.seq < 0) add("/seq", "minimum", "must be at least 0")
            out.append(",\"seq\":").append(e.seq)
        }
        props(e.props)
        return done()
    }

    fun operation(o: Operation): String {
        checkSubject(o)
        out.append(OPERATION_HEAD)
        Json.appendString(out, o.op.value)
        ts(o.ts)
        ids(o.userId, o.anonymousId, o.idempotencyKey)
        o.group?.let {
            out.append(",\"group\":{\"type\":")
            Json.appendString(out, it.type)
            out.append(",\"key\":")
            Json.appendString(out, it.key)
            out.append('}')
        }
        props(o.props)
        checkOp(o)
        o.names?.takeIf { it.isNotEmpty() }?.let { names ->
            names.forEach { checkText("/names", it, noControl = false) }
            out.append(",\"names\":")
            Json.append(out, names, 0)
        }
        return done()
    }

    private fun done(): String = if (bad.isEmpty()) out.toString() else throw RejectedException(bad)

    private fun add(pointer: String, code: String, detail: String) {
        bad.add(FieldError(pointer, code, detail))
    }

    private fun ts(ts: Instant?) {
        val at = checkNotNull(ts) { "the call sets it" }
        if (at < earliest) add("/ts", "minimum", "must not be before 1971-01-01T00:00:00Z")
        if (at >= tooLate) add("/ts", "format", "must be an RFC 3339 date-time with a zone, such as 2026-01-31T12:00:00Z")
        out.append(",\"ts\":\"").append(Json.timestamp(at)).append('"')
    }

    private fun ids(user: String?, anonymous: String?, key: String?) {
        id("user_id", user)
        id("anonymous_id", anonymous)
        id("idempotency_key", key)
    }

    private fun id(member: String, value: String?) {
        if (value.isNullOrEmpty()) return
        checkText("/$member", value, noControl = false)
        out.append(",\"").append(member).append("\":")
        Json.appendString(out, value)
    }

    private fun props(props: Map<String, Any?>?) {
        if (props == null) return
        out.append(",\"props\":")
        val start = out.length
        try {
            Json.append(out, props, 0)
        } catch (e: JsonException) {
            add("/props", "type", e.message.orEmpty())
            return
        }
        checkProps(start)
    }

    /** Holds a name or an id to its rules. */
    private fun checkText(pointer: String, text: String, noControl: Boolean) {
        checkLength(pointer, text, MAX_CHARS)
        val first = text.firstOrNull { it == '\u0000' || noControl && it.isISOControl() } ?: return
        if (first == '\u0000') add(pointer, "nul_character", "must not contain the character U+0000")
        else add(pointer, "control_character", "must not contain control characters")
    }

    private fun checkLength(pointer: String, text: String, most: Int) {
        if (text.isEmpty() || text.length > most && text.codePointCount(0, text.length) > most) {
            add(pointer, "length", "must be 1 to $most characters long")
        }
    }

    /** Holds props, which are written from start on, to their limits. */
    private fun checkProps(start: Int) {
        if (utf8Length(start) > MAX_PROPS) {
            add("/props", "too_large", "must be at most 32768 bytes of JSON")
            return
        }
        var depth = 0
        var text = false
        var i = start
        while (i < out.length) {
            val c = out[i]
            when {
                text && c == '\\' -> {
                    i++
                    if (out[i] == 'u' && out.startsWith("0000", i + 1)) {
                        add("/props", "nul_character", "must not contain the character U+0000")
                        return
                    }
                }
                c == '"' -> text = !text
                text -> Unit
                c == '{' || c == '[' -> if (++depth > MAX_DEPTH) {
                    add("/props", "too_deep", "must be nested at most 8 levels deep")
                    return
                }
                c == '}' || c == ']' -> depth--
            }
            i++
        }
    }

    private fun utf8Length(start: Int): Int {
        var bytes = 0
        for (i in start until out.length) {
            val c = out[i]
            bytes += when {
                c.code < 0x80 -> 1
                c.code < 0x800 || c.isSurrogate() -> 2 // a pair has four
                else -> 3
            }
        }
        return bytes
    }

    /** Holds an operation to naming somebody, or a group. */
    private fun checkSubject(o: Operation) {
        val person = o.userId.orEmpty() + o.anonymousId.orEmpty()
        val group = o.group
        when {
            group != null && person.isNotEmpty() ->
                add("/group", "conflict", "cannot be combined with user_id or anonymous_id: an operation is about a person or a group")
            group != null -> {
                checkLength("/group/type", group.type, MAX_TYPE)
                checkText("/group/key", group.key, noControl = false)
                if (group.type.isNotEmpty() && nobody(group.type)) add("/group/type", "nobody", JUNK_DETAIL)
                else if (group.key.isNotEmpty() && nobody(group.key)) add("/group/key", "nobody", JUNK_DETAIL)
            }
            person.isEmpty() -> add("", "required", "needs a user_id, an anonymous_id or a group")
            nobody(o.userId) && nobody(o.anonymousId) -> {
                if (!o.userId.isNullOrEmpty()) add("/user_id", "nobody", JUNK_DETAIL)
                if (!o.anonymousId.isNullOrEmpty()) add("/anonymous_id", "nobody", JUNK_DETAIL)
            }
        }
    }

    /** Holds an operation to what it needs and may have. */
    private fun checkOp(o: Operation) {
        val named = !o.names.isNullOrEmpty()
        val values = o.op != Op.UNSET && o.op != Op.DELETE
        if (o.op == Op.UNSET && !named) add("/names", "required", "is required with unset: the properties that go")
        if (o.op == Op.UNSET && o.names.orEmpty().size > MAX_NAMES) add("/names", "max_items", "must have at most 100 items")
        if (values && o.props == null) add("/props", "required", "is required with ${o.op.value}")
        if (o.op == Op.ADD && o.props.orEmpty().values.any { it !is Number }) add("/props", "type", "must be numbers with add")
        if (!values && o.props != null) add("/props", "conflict", "is not allowed with ${o.op.value}")
        if (o.op != Op.UNSET && named) add("/names", "conflict", "is only allowed with unset")
    }
}

/** Reads what an [Encoder] wrote. */
internal object Decoder {
    fun event(json: Map<*, *>): Event = Event(
        name = json["name"] as String, props = props(json), userId = json["user_id"] as String?, anonymousId = json["anonymous_id"] as String?,
        ts = ts(json), idempotencyKey = json["idempotency_key"] as String?, seq = (json["seq"] as? Number)?.toLong() ?: 0,
    )

    fun operation(json: Map<*, *>): Operation = Operation(
        op = Op.values().first { it.value == json["op"] }, props = props(json), userId = json["user_id"] as String?,
        anonymousId = json["anonymous_id"] as String?,
        group = (json["group"] as? Map<*, *>)?.let { Group(it["type"] as String, it["key"] as String) },
        names = (json["names"] as? List<*>)?.map { it as String }, ts = ts(json), idempotencyKey = json["idempotency_key"] as String?,
    )

    @Suppress("UNCHECKED_CAST") // an object of JSON
    private fun props(json: Map<*, *>): Map<String, Any?>? = json["props"] as Map<String, Any?>?

    private fun ts(json: Map<*, *>): Instant? = (json["ts"] as String?)?.let { OffsetDateTime.parse(it).toInstant() }
}
