package com.mirth.connect.server.userutil;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.List;
import javax.sql.rowset.CachedRowSet;
import javax.sql.rowset.RowSetProvider;

/** A connection of `DatabaseConnectionFactory`. Rows are read at once and outlive it. */
public class DatabaseConnection {
    private final Connection connection;

    public DatabaseConnection(Connection connection) {
        this.connection = connection;
    }

    public void setAutoCommit(boolean on) throws SQLException {
        connection.setAutoCommit(on);
    }

    public void commit() throws SQLException {
        connection.commit();
    }

    public void rollback() throws SQLException {
        connection.rollback();
    }

    public void close() throws SQLException {
        connection.close();
    }

    public Connection getConnection() {
        return connection;
    }

    public CachedRowSet executeCachedQuery(String sql) throws SQLException {
        return executeCachedQuery(sql, List.of());
    }

    public CachedRowSet executeCachedQuery(String sql, List<Object> parameters) throws SQLException {
        try (PreparedStatement statement = prepared(sql, parameters); ResultSet rows = statement.executeQuery()) {
            CachedRowSet cached = RowSetProvider.newFactory().createCachedRowSet();
            cached.populate(rows);
            return cached;
        }
    }

    public int executeUpdate(String sql) throws SQLException {
        return executeUpdate(sql, List.of());
    }

    /** Rows changed, or -1 where the statement gave rows instead. */
    public int executeUpdate(String sql, List<Object> parameters) throws SQLException {
        try (PreparedStatement statement = prepared(sql, parameters)) {
            return statement.execute() ? -1 : statement.getUpdateCount();
        }
    }

    private PreparedStatement prepared(String sql, List<Object> parameters) throws SQLException {
        PreparedStatement statement = connection.prepareStatement(sql);
        for (int i = 0; i < parameters.size(); i++) statement.setObject(i + 1, parameters.get(i));
        return statement;
    }
}
