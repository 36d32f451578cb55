package io.github.bahagh.nimbus.api

import io.github.bahagh.nimbus.FieldError
import io.github.bahagh.nimbus.Json
import io.github.bahagh.nimbus.JsonException
import java.time.DateTimeException
import java.time.Instant
import java.time.OffsetDateTime

/** An object of the contract. */
public interface Model {
    /** As [Json] writes it; members that are null are left out. */
    public fun toJson(): Map<String, Any?>
}

/** An enum of the contract. */
public interface Coded {
    /** As it is sent. */
    public val value: String
}

/** An object of names and values in turn, without those that are null. */
internal fun json(vararg members: Any?): Map<String, Any?> {
    val all = LinkedHashMap<String, Any?>()
    for (k in members.indices step 2) if (members[k + 1] != null) all[members[k] as String] = plain(members[k + 1])
    return all
}

/** Parameters of a request: names and values in turn. */
internal fun params(vararg all: Any?): List<Pair<String, Any?>> = (all.indices step 2).map { (all[it] as String) to all[it + 1] }

private fun plain(value: Any?): Any? = when (value) {
    is Model -> value.toJson()
    is Coded -> value.value.ifEmpty { throw IllegalArgumentException("$value of ${value.javaClass.simpleName} cannot be sent") }
    is List<*> -> value.map { plain(it) }
    else -> value
}

/** The members of an object that is read. */
internal class Members(json: Any?, private val type: String) {
    private val all = json as? Map<*, *> ?: throw JsonException("is no $type")

    operator fun get(name: String): Any? = all[name]

    fun need(name: String): Any? = all[name] ?: throw JsonException("has no $name of $type")
}

internal fun text(json: Any?): String = json as? String ?: unlike("text", json)

internal fun truth(json: Any?): Boolean = json as? Boolean ?: unlike("true or false", json)

internal fun int(json: Any?): Int = (json as? Number)?.toInt() ?: unlike("a number", json)

internal fun long(json: Any?): Long = (json as? Number)?.toLong() ?: unlike("a number", json)

internal fun double(json: Any?): Double = (json as? Number)?.toDouble() ?: unlike("a number", json)

internal fun instant(json: Any?): Instant = try {
    OffsetDateTime.parse(text(json)).toInstant()
} catch (_: DateTimeException) {
    unlike("a time", json)
}

internal fun textOrNull(json: Any?): String? = if (json == null) null else text(json)

internal fun truthOrNull(json: Any?): Boolean? = if (json == null) null else truth(json)

internal fun intOrNull(json: Any?): Int? = if (json == null) null else int(json)

internal fun longOrNull(json: Any?): Long? = if (json == null) null else long(json)

internal fun doubleOrNull(json: Any?): Double? = if (json == null) null else double(json)

internal fun instantOrNull(json: Any?): Instant? = if (json == null) null else instant(json)

internal fun membersOrNull(json: Any?): Map<String, Any?>? = if (json == null) null else members(json)

@Suppress("UNCHECKED_CAST") // an object of JSON
internal fun members(json: Any?): Map<String, Any?> = json as? Map<String, Any?> ?: unlike("an object", json)

internal inline fun <T> list(json: Any?, item: (Any?) -> T): List<T> = (json as? List<*> ?: unlike("a list", json)).map { item(it) }

internal fun fieldError(json: Any?): FieldError = FieldError.all(listOf(json)).firstOrNull() ?: unlike("an error", json)

internal fun unlike(what: String, json: Any?): Nothing = throw JsonException("has $json where $what is expected")
