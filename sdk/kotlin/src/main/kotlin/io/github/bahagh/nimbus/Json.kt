package io.github.bahagh.nimbus

import java.math.BigDecimal
import java.math.BigInteger
import java.time.Instant
import java.time.ZonedDateTime
import java.time.OffsetDateTime
import java.time.temporal.ChronoUnit
import java.util.Date
import java.util.UUID

/** Says that a value cannot be written as JSON, or that a text is none. */
public class JsonException(message: String) : IllegalArgumentException(message)

/**
 * JSON as plain values: `Map<String, Any?>`, `List<Any?>`, `String`, `Boolean`, numbers and null. A number is read as
 * the smallest of `Long`, `BigInteger`, `Double` and `BigDecimal` that holds it.
 *
 * Written are also arrays, other collections, enums by their name, `Instant`, `Date` and `UUID`.
 */
public object Json {
    /** Reads one value. It throws a [JsonException] for anything else. */
    @JvmStatic
    public fun parse(text: String): Any? = Reader(text).document()

    /**
     * Writes a value. It throws a [JsonException] for what JSON has no form for: NaN, a cycle, an object of a class
     * of your own.
     */
    @JvmStatic
    public fun write(value: Any?): String = StringBuilder().also { append(it, value, 0) }.toString()

    internal fun parse(bytes: ByteArray): Any? = parse(String(bytes, Charsets.UTF_8))

    /** Deeper than anything that is taken; a cycle ends here. */
    private const val MAX_DEPTH = 200

    internal fun append(to: StringBuilder, value: Any?, depth: Int) {
        if (depth > MAX_DEPTH) throw JsonException("is nested too deep, or in itself")
        when (value) {
            null -> to.append("null")
            is String -> appendString(to, value)
            is Boolean -> to.append(value)
            is Number -> appendNumber(to, value)
            is Map<*, *> -> appendMap(to, value, depth)
            is Iterable<*> -> appendList(to, value.iterator(), depth)
            is Array<*> -> appendList(to, value.iterator(), depth)
            is IntArray -> appendList(to, value.iterator(), depth)
            is LongArray -> appendList(to, value.iterator(), depth)
            is DoubleArray -> appendList(to, value.iterator(), depth)
            is Instant -> appendString(to, timestamp(value))
            is Date -> appendString(to, timestamp(value.toInstant()))
            is OffsetDateTime -> appendString(to, timestamp(value.toInstant()))
            is ZonedDateTime -> appendString(to, timestamp(value.toInstant()))
            is Enum<*> -> appendString(to, value.name)
            is UUID, is CharSequence, is Char -> appendString(to, value.toString())
            else -> throw JsonException("has a ${value.javaClass.name}, which is no JSON")
        }
    }

    /** RFC 3339 in UTC, to the microsecond, which is as exact as the server keeps it. */
    internal fun timestamp(at: Instant): String = at.truncatedTo(ChronoUnit.MICROS).toString()

    private fun appendNumber(to: StringBuilder, value: Number) {
        val finite = if (value is Float) value.isFinite() else value !is Double || value.isFinite()
        if (!finite) throw JsonException("has $value, which is no number in JSON")
        val whole = value is Double && value == Math.rint(value) && Math.abs(value) < LARGEST_EXACT
        to.append(if (whole) value.toLong().toString() else value.toString())
    }

    /** Below it a double names each integer, so that 3.0 may be written as 3. */
    private const val LARGEST_EXACT = 9007199254740992.0

    private fun appendMap(to: StringBuilder, map: Map<*, *>, depth: Int) {
        to.append('{')
        var first = true
        for ((key, member) in map) {
            if (key == null) throw JsonException("has a member without a name")
            if (!first) to.append(',')
            first = false
            appendString(to, if (key is Enum<*>) key.name else key.toString())
            to.append(':')
            append(to, member, depth + 1)
        }
        to.append('}')
    }

    private fun appendList(to: StringBuilder, items: Iterator<Any?>, depth: Int) {
        to.append('[')
        var first = true
        for (item in items) {
            if (!first) to.append(',')
            first = false
            append(to, item, depth + 1)
        }
        to.append(']')
    }

    /** Half a surrogate pair becomes U+FFFD, because UTF-8 has no form for it. */
    internal fun appendString(to: StringBuilder, text: String) {
        to.append('"')
        var i = 0
        while (i < text.length) {
            val c = text[i++]
            when {
                c == '"' || c == '\\' -> to.append('\\').append(c)
                c < ' ' -> to.append("\\u00").append(HEX[c.code shr 4]).append(HEX[c.code and 0xf])
                !c.isSurrogate() -> to.append(c)
                c.isHighSurrogate() && i < text.length && text[i].isLowSurrogate() -> to.append(c).append(text[i++])
                else -> to.append('\uFFFD')
            }
        }
        to.append('"')
    }

    private const val HEX = "0123456789abcdef"

    private class Reader(private val text: String) {
        private var at = 0

        fun document(): Any? {
            val value = value(0)
            blanks()
            if (at != text.length) fail()
            return value
        }

        private fun fail(): Nothing = throw JsonException("is no JSON from character ${at + 1} on")

        private fun blanks() {
            while (at < text.length && text[at] in " \t\r\n") at++
        }

        private fun value(depth: Int): Any? {
            if (depth > MAX_DEPTH) fail()
            blanks()
            if (at == text.length) fail()
            return when (text[at]) {
                '{' -> members(depth)
                '[' -> items(depth)
                '"' -> string()
                't' -> word("true", true)
                'f' -> word("false", false)
                'n' -> word("null", null)
                else -> number()
            }
        }

        private fun word(word: String, value: Any?): Any? {
            if (!text.startsWith(word, at)) fail()
            at += word.length
            return value
        }

        private fun next(c: Char): Boolean {
            blanks()
            if (at < text.length && text[at] == c) {
                at++
                return true
            }
            return false
        }

        private fun members(depth: Int): Map<String, Any?> {
            val members = LinkedHashMap<String, Any?>()
            at++
            if (next('}')) return members
            do {
                blanks()
                if (at == text.length || text[at] != '"') fail()
                val name = string()
                if (!next(':')) fail()
                members[name] = value(depth + 1)
            } while (next(','))
            if (!next('}')) fail()
            return members
        }

        private fun items(depth: Int): List<Any?> {
            val items = ArrayList<Any?>()
            at++
            if (next(']')) return items
            do items.add(value(depth + 1)) while (next(','))
            if (!next(']')) fail()
            return items
        }

        private fun string(): String {
            val begin = ++at
            while (at < text.length && text[at] != '"' && text[at] != '\\') control()
            if (at < text.length && text[at] == '"') return text.substring(begin, at++)
            val s = StringBuilder().append(text, begin, at)
            while (true) {
                if (at == text.length) fail()
                when (text[at]) {
                    '"' -> {
                        at++
                        return s.toString()
                    }
                    '\\' -> s.append(escaped())
                    else -> {
                        s.append(text[at])
                        control()
                    }
                }
            }
        }

        private fun control() {
            if (text[at] < ' ') fail()
            at++
        }

        private fun escaped(): Char {
            if (at + 1 >= text.length) fail()
            at += 2
            return when (val c = text[at - 1]) {
                '"', '\\', '/' -> c
                'b' -> '\b'
                'f' -> '\u000C'
                'n' -> '\n'
                'r' -> '\r'
                't' -> '\t'
                'u' -> {
                    if (at + 4 > text.length) fail()
                    val digits = text.substring(at, at + 4)
                    if (digits.any { it !in '0'..'9' && it !in 'a'..'f' && it !in 'A'..'F' }) fail()
                    at += 4
                    digits.toInt(16).toChar()
                }
                else -> fail()
            }
        }

        private fun number(): Any {
            val match = NUMBER.matcher(text).region(at, text.length)
            if (!match.lookingAt()) fail()
            at = match.end()
            val digits = match.group()
            if (match.group(1) == null && match.group(2) == null) return digits.toLongOrNull() ?: BigInteger(digits)
            val double = digits.toDouble()
            return if (double.isFinite()) double else BigDecimal(digits)
        }
    }

    private val NUMBER = Regex("-?(?:0|[1-9][0-9]*)(\\.[0-9]+)?([eE][+-]?[0-9]+)?").toPattern()
}
