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

internal fun json(vararg members: Pair<String, Any?>): Map<String, Any?> {
    val all = LinkedHashMap<String, Any?>()
    members.forEach { (name, value) -> if (value != null) all[name] = plain(value) }
    return all
}

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

@Suppress("UNCHECKED_CAST") // an object of JSON
internal fun members(json: Any?): Map<String, Any?> = json as? Map<String, Any?> ?: unlike("an object", json)

internal inline fun <T> list(json: Any?, item: (Any?) -> T): List<T> = (json as? List<*> ?: unlike("a list", json)).map { item(it) }

internal fun fieldError(json: Any?): FieldError = FieldError.all(listOf(json)).firstOrNull() ?: unlike("an error", json)

internal fun unlike(what: String, json: Any?): Nothing = throw JsonException("has $json where $what is expected")
