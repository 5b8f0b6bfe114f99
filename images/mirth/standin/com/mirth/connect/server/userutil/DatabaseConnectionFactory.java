package com.mirth.connect.server.userutil;

import java.sql.DriverManager;
import java.sql.SQLException;
import java.util.Properties;

/** `DatabaseConnectionFactory` of scripts. */
public class DatabaseConnectionFactory {
    public DatabaseConnection createDatabaseConnection(String driver, String address, String username, String password) throws ClassNotFoundException, SQLException {
        Class.forName(driver);
        Properties account = new Properties();
        account.setProperty("user", username);
        account.setProperty("password", password);
        return new DatabaseConnection(DriverManager.getConnection(address, account));
    }

    public DatabaseConnection createDatabaseConnection(String driver, String address) throws ClassNotFoundException, SQLException {
        Class.forName(driver);
        return new DatabaseConnection(DriverManager.getConnection(address));
    }
}
